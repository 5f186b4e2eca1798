// Package clip is feeds that loop a file: the slate that is shown when nothing else
// is there. Clips lie in a folder of the show; a feed of the address clip://slate
// plays slate.mp4 in it, over and over, on a clock that only grows.
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
	ErrNotAClip  = errors.New("this file can't be a clip")
	ErrNoFFmpeg  = errors.New("the clip has to be converted, and this machine has no ffmpeg")
	ErrTooBig    = errors.New("the clip is too big")
	ErrTooMany   = errors.New("there are too many clips")
	ErrConverter = errors.New("ffmpeg could not convert the clip")
)

// Bounds of a clip.
const (
	MaxBytes    = 200 << 20
	maxDuration = 10 * time.Minute
	maxClips    = 64
)

const suffix = ".mp4"

// Clips is a folder of clips. Its methods are safe for concurrent use.
type Clips struct {
	dir        string
	converting chan struct{} // held by the one upload that is converted: that takes whole cores
}

// New keeps clips in dir, which is made when the first one comes.
func New(dir string) *Clips { return &Clips{dir: dir, converting: make(chan struct{}, 1)} }

// Info is a clip as operators know it.
type Info struct {
	Name    string    `json:"name" example:"slate"`
	Bytes   int64     `json:"bytes" example:"1048576"`
	Changed time.Time `json:"changed"`
}

// path is where the clip called name lies.
func (c *Clips) path(name string) (string, error) {
	if err := ingest.CheckName(name); err != nil { // it has no slash, and does not begin with a dot
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

// Remove deletes a clip. It fails with ErrNoClip. A feed that plays it ends with its
// present loop.
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

// Pull plays the clip u names (clip://slate) to feed until ctx is done. A clip that
// is replaced goes on with the new one when the present loop ends.
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
		l.audioFrames, l.audioStart = 0, l.at // a grid of its own
		p.SetTracks(f.tracks)
	}
}

// loop is the timeline that a clip is played on.
type loop struct {
	pub         *hub.Publisher
	start       time.Time
	at          time.Duration // where the present loop begins
	audioStart  time.Duration // where the grid of sound begins
	audioFrames int           // of sound, since then
}

// play writes the clip once, each unit when it is due. The picture's length is the
// loop's; the sound stays on its grid, and is silence where the clip has none.
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

// sound is when the next frame of sound is due.
func (l *loop) audioDue(f *file) time.Duration {
	if !f.hasAudio() {
		return 0
	}
	t := &f.tracks[1]
	samples := int64(l.audioFrames) * int64(t.SamplesPerFrame()) // at most days: it does not overflow
	rate := int64(t.SampleRate)
	return l.audioStart + time.Duration(samples/rate)*time.Second + time.Duration(samples%rate)*time.Second/time.Duration(rate)
}
