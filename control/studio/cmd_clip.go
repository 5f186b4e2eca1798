package studio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"obvan/control"
	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/clip"
)

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
		command("clip.list", control.Operator, "List the clips. A feed with the address clip://NAME plays one; PUT /api/v1/clips/NAME uploads an MP4, PNG or JPEG.",
			func(_ context.Context, s *Studio, _ none) (list ClipList, err error) {
				clips, err := s.clips()
				if err == nil {
					list.Clips, err = clips.List()
				}
				return list, err
			}, control.ErrUnsupported),
		command("clip.remove", control.Director, "Delete a clip. A feed that plays it ends after the current loop.",
			func(ctx context.Context, s *Studio, args ClipArgs) (none, error) {
				clips, err := s.clips()
				if err == nil {
					err = clips.Remove(args.Name)
				}
				if err == nil {
					s.logAction(ctx, "deleted the clip %s", args.Name)
				}
				return none{}, err
			}, control.ErrUnsupported, clip.ErrNoClip, ingest.ErrBadName, ingest.ErrReserved),
	}
}

func (s *Studio) clips() (Clips, error) {
	if s.deps.Clips == nil {
		return nil, fmt.Errorf("clips: %w by this server", control.ErrUnsupported)
	}
	return s.deps.Clips, nil
}

// PutClip stores a clip of length bytes. It returns once the clip can be played.
func (s *Studio) PutClip(ctx context.Context, name string, length int64, content io.Reader) error {
	clips, err := s.clips()
	if err != nil {
		return err
	}
	if length > clip.MaxBytes {
		return fmt.Errorf("%w: at most %d MB", clip.ErrTooBig, clip.MaxBytes>>20)
	}
	if err := clips.Put(ctx, name, content, s.programFormat()); err != nil {
		return s.uploadFailed("clip", name, err)
	}
	s.uploaded(ctx, "clip", name)
	return nil
}

// uploadFailed is the error of an upload that was not stored, for whoever sent it.
func (s *Studio) uploadFailed(what, name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("the server's disk is full: %w", control.ErrRefused)
	}
	if code, _ := control.Code(err); code == control.Internal {
		s.log.Error("an upload could not be stored", "kind", what, "name", name, "err", err)
	}
	return err
}

// uploaded logs who uploaded what.
func (s *Studio) uploaded(ctx context.Context, what, name string) {
	c := control.CallerOf(ctx)
	c.Command = what + ".put"
	s.logAction(control.WithCaller(ctx, c), "uploaded the %s %s", what, name)
}

// programFormat is how the program is encoded: clips are converted to match it.
func (s *Studio) programFormat() (like clip.Format) {
	st, ok := s.deps.Hub.Stream(hub.Program)
	if !ok {
		return like
	}
	if i := st.Tracks.Video(); i >= 0 {
		like.Video = (*st.Tracks)[i]
		if like.Video.FrameRate == 0 { // its codec does not say, but it was measured
			s.store.Read(func(now *control.State) { like.Video.FrameRate = now.Program.FPS })
		}
	}
	if i := st.Tracks.Audio(); i >= 0 {
		like.Audio = (*st.Tracks)[i]
	}
	return like
}
