package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/clip"
)

// Clips is what the studio needs of clip.Clips.
type Clips interface {
	Put(ctx context.Context, name string, r io.Reader, like clip.Shape) error
	List() ([]clip.Info, error)
	Remove(name string) error // clip.ErrNoClip
}

// uploadTimeout is how long a clip may take to come, and to be converted.
const uploadTimeout = 10 * time.Minute

// ClipArgs names a clip.
type ClipArgs struct {
	Name string `json:"name" example:"slate"`
}

// ClipList is what clip.list answers.
type ClipList struct {
	Clips []clip.Info `json:"clips"`
}

func clipCommands() []Command {
	return []Command{
		command("clip.list", Operator, "List the clips. A feed of the address clip://NAME plays one; PUT /api/v1/clips/NAME with an MP4, PNG or JPEG brings one in.",
			func(_ context.Context, s *Studio, _ nothing) (list ClipList, err error) {
				clips, err := s.clips()
				if err == nil {
					list.Clips, err = clips.List()
				}
				return list, err
			}, ErrUnsupported),
		command("clip.remove", Director, "Delete a clip. A feed that plays it ends with its present loop.",
			func(ctx context.Context, s *Studio, args ClipArgs) (nothing, error) {
				clips, err := s.clips()
				if err == nil {
					err = clips.Remove(args.Name)
				}
				if err == nil {
					s.did(ctx, "deleted the clip %s", args.Name)
				}
				return nothing{}, err
			}, ErrUnsupported, clip.ErrNoClip, ingest.ErrBadName, ingest.ErrReserved),
	}
}

func (s *Studio) clips() (Clips, error) {
	if s.rooms.Clips == nil {
		return nil, fmt.Errorf("this studio keeps no clips: %w", ErrUnsupported)
	}
	return s.rooms.Clips, nil
}

// putClip is PUT /api/v1/clips/{name}: its body is the file. It answers once the clip
// can be played.
func (s *Studio) putClip(w http.ResponseWriter, r *http.Request) {
	clips, err := s.clips()
	if err != nil {
		s.fail(w, err)
		return
	}
	if r.ContentLength > clip.MaxBytes {
		s.fail(w, fmt.Errorf("%w: %d MB at most", clip.ErrTooBig, clip.MaxBytes>>20))
		return
	}
	// The server's own deadlines are for bodies of a few kilobytes.
	until := time.Now().Add(uploadTimeout)
	control := http.NewResponseController(w)
	_, _ = control.SetReadDeadline(until), control.SetWriteDeadline(until) // a recorder in tests has none
	ctx, cancel := context.WithDeadline(r.Context(), until)
	defer cancel()
	name := r.PathValue("name")
	if err := clips.Put(ctx, name, http.MaxBytesReader(w, r.Body, clip.MaxBytes+1), s.shape()); err != nil {
		s.uploadFailed(w, "clip", name, err)
		return
	}
	s.uploaded(w, r, "clip", name)
}

// uploadFailed answers for an upload that was not kept.
func (s *Studio) uploadFailed(w http.ResponseWriter, what, name string, err error) {
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("the server's disk is full: %w", ErrRefused)
	}
	if word, _ := Code(err); word == Internal {
		s.log.Error("an upload could not be kept", "kind", what, "name", name, "err", err)
	}
	s.fail(w, err)
}

// uploaded answers for an upload that is kept, and notes who brought it in.
func (s *Studio) uploaded(w http.ResponseWriter, r *http.Request, what, name string) {
	who := callerOf(r.Context())
	who.command = what + ".put"
	s.did(context.WithValue(r.Context(), callerKey{}, who), "brought in the %s %s", what, name)
	s.answer(w, map[string]any{"result": nil})
}

// shape is how the program is coded: clips are made to follow it without a change.
func (s *Studio) shape() (like clip.Shape) {
	st, ok := s.rooms.Hub.Stream(hub.Program)
	if !ok {
		return like
	}
	if i := st.Tracks.Video(); i >= 0 {
		like.Video = (*st.Tracks)[i]
		if like.Video.FrameRate == 0 { // its coding does not say, but it is seen
			s.store.Read(func(now *State) { like.Video.FrameRate = now.Program.FPS })
		}
	}
	if i := st.Tracks.Audio(); i >= 0 {
		like.Audio = (*st.Tracks)[i]
	}
	return like
}
