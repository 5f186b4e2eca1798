// Package clip is feeds that loop a file, such as the slate that is shown when all else
// fails. Clips are stored in a folder of the show; a feed with the address clip://slate
// loops slate.mp4 from it, with timestamps that only increase.
package clip

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/retry"
)

// Errors a caller can act on.
var (
	ErrNoClip    = errors.New("there is no such clip")
	ErrNotAClip  = errors.New("this file can't be used as a clip")
	ErrNoFFmpeg  = errors.New("the clip must be converted, and ffmpeg is not installed")
	ErrTooBig    = errors.New("the clip is too big")
	ErrTooMany   = errors.New("there are too many clips")
	ErrConverter = errors.New("ffmpeg could not convert the clip")
)

// Limits of a clip.
const (
	MaxBytes    = 200 << 20
	maxDuration = 10 * time.Minute
	maxClips    = 64
)

const suffix = ".mp4"

// Clips is a folder of clips. Its methods are safe for concurrent use.
type Clips struct {
	dir        string
	converting chan struct{} // full while an upload is being converted, which takes whole cores
}

// New stores clips in dir, which is created with the first one.
func New(dir string) *Clips { return &Clips{dir: dir, converting: make(chan struct{}, 1)} }

// Info describes a clip to operators.
type Info struct {
	Name    string    `json:"name" example:"slate"`
	Bytes   int64     `json:"bytes" example:"1048576"`
	Changed time.Time `json:"changed"`
}

// path is the file of the clip called name.
func (c *Clips) path(name string) (string, error) {
	if err := ingest.CheckName(name); err != nil { // a valid name has no slash, and does not begin with a dot
		return "", fmt.Errorf("clip: %w", err)
	}
	return filepath.Join(c.dir, name+suffix), nil
}

// List is the clips, by name.
func (c *Clips) List() ([]Info, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the clips: %w", err)
	}
	all := []Info{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		info, err := e.Info()
		if !ok || err != nil || !info.Mode().IsRegular() || ingest.CheckName(name) != nil {
			continue
		}
		all = append(all, Info{Name: name, Bytes: info.Size(), Changed: info.ModTime().UTC()})
	}
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Remove deletes a clip. It fails with ErrNoClip. A feed that plays it ends after the
// current loop.
func (c *Clips) Remove(name string) error {
	path, err := c.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clip %s: %w", name, ErrNoClip)
		}
		return fmt.Errorf("remove the clip %s: %w", name, err)
	}
	return nil
}

// Pull plays the clip that u names (clip://slate) to feed until ctx is done. When the
// clip is replaced, the new one follows after the current loop.
func (c *Clips) Pull(ctx context.Context, u *url.URL, env ingest.Env, feed string, live func()) error {
	path, err := c.path(u.Host)
	if err != nil {
		return err
	}
	f, err := open(path)
	if err != nil {
		return fmt.Errorf("clip %s: %w", u.Host, err)
	}
	defer func() { f.close() }()
	p, err := env.Hub.Publish(feed, hub.Origin{Proto: "clip"})
	if err != nil {
		return fmt.Errorf("publish %s: %w", feed, err)
	}
	defer p.Close()
	p.SetTracks(f.tracks)
	live()
	l := loop{pub: p, start: time.Now()}
	for {
		if err := l.play(ctx, f); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("clip %s: %w", u.Host, err)
		}
		if !f.replaced(path) {
			continue
		}
		next, err := open(path)
		if err != nil {
			return fmt.Errorf("clip %s: %w", u.Host, err)
		}
		f.close()
		f = next
		l.audioFrames, l.audioStart = 0, l.at // a new audio frame grid
		p.SetTracks(f.tracks)
	}
}

// loop is the timeline that a clip is played on.
type loop struct {
	pub         *hub.Publisher
	start       time.Time
	at          time.Duration // where the current loop begins
	audioStart  time.Duration // where the audio frame grid begins
	audioFrames int           // since then
}

// play writes the clip once, each unit when it is due. The loop is as long as the video;
// audio stays on its frame grid, and is silence where the clip has none.
func (l *loop) play(ctx context.Context, f *file) error {
	begun := l.audioFrames
	for next := 0; next < len(f.video); {
		due := l.at + f.video[next].dts
		audio := l.audioDue(f)
		if f.hasAudio() && audio <= due {
			au, err := f.audioFrame(l.audioFrames - begun)
			if err != nil {
				return err
			}
			if err := retry.Sleep(ctx, time.Until(l.start.Add(audio))); err != nil {
				return err
			}
			au.PTS, au.DTS = audio, audio
			l.pub.Write(au)
			l.audioFrames++
			continue
		}
		au, err := f.videoFrame(next)
		if err != nil {
			return err
		}
		if err := retry.Sleep(ctx, time.Until(l.start.Add(due))); err != nil {
			return err
		}
		au.PTS, au.DTS = au.PTS+l.at, due
		l.pub.Write(au)
		next++
	}
	l.at += f.length
	return nil
}

// audioDue is when the next audio frame is due.
func (l *loop) audioDue(f *file) time.Duration {
	if !f.hasAudio() {
		return 0
	}
	t := &f.tracks[1]
	samples := int64(l.audioFrames) * int64(t.SamplesPerFrame()) // at most days: it does not overflow
	rate := int64(t.SampleRate)
	return l.audioStart + time.Duration(samples/rate)*time.Second + time.Duration(samples%rate)*time.Second/time.Duration(rate)
}
