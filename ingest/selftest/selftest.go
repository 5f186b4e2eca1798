// Package selftest is cameras that fail on purpose, for rehearsals and tests: the demo
// cameras with the faults of real ones.
//
//	selftest://jump?every=10s           its timestamps jump: an hour ahead, back, to zero
//	selftest://freeze?every=10s&for=5s  its video stops, the audio continues
//	selftest://silence?every=10s&for=5s its audio stops, the video continues
//	selftest://die?every=10s            it disconnects, and is reconnected
//
// A path chooses the camera: selftest://die/cam2.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/demo"
	"obvan/media"
)

const (
	usualEvery = 10 * time.Second
	usualFor   = 5 * time.Second
)

// Errors of a self-test camera.
var (
	ErrUnknownFault    = errors.New("there is no such self-test: use selftest://jump, freeze, silence or die")
	ErrInvalidDuration = errors.New("every and for must be durations, such as 10s")
	errLeft            = errors.New("the self-test camera disconnected, as requested")
)

// jumps is where the timestamps jump to, in turn: as when a camera finds its time server,
// loses it again, and restarts.
var jumps = [...]time.Duration{time.Hour, 20 * time.Minute, 0}

// fault is what goes wrong, and when.
type fault struct {
	kind         string
	every, lasts time.Duration
}

// Pull plays the camera that u names to feed, until ctx is done or it disconnects.
func Pull(ctx context.Context, u *url.URL, env ingest.Env, feed string, live func()) error {
	f, err := parse(u)
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	camera := strings.Trim(u.Path, "/")
	if camera == "" {
		camera = demo.Cameras[0]
	}
	to, err := env.Publish(ingest.Request{Stream: feed, Proto: "selftest"})
	if err != nil {
		return err
	}
	defer to.Close()
	within, stop := context.WithCancel(ctx)
	inside, ended := hub.New(), make(chan error, 1)
	go func() {
		ended <- demo.Pull(within, &url.URL{Scheme: "demo", Host: camera}, ingest.Env{Hub: inside, Log: env.Log}, camera, func() {})
		stop()
	}()
	err = f.play(within, inside, camera, to, live)
	stop()
	if e := <-ended; e != nil {
		return fmt.Errorf("self-test: %w", e)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func parse(u *url.URL) (fault, error) {
	f := fault{u.Hostname(), usualEvery, usualFor}
	switch f.kind {
	case "jump", "freeze", "silence", "die":
	default:
		return f, ErrUnknownFault
	}
	for name, into := range map[string]*time.Duration{"every": &f.every, "for": &f.lasts} {
		if text := u.Query().Get(name); text != "" {
			d, err := time.ParseDuration(text)
			if err != nil || d <= 0 {
				return f, ErrInvalidDuration
			}
			*into = d
		}
	}
	return f, nil
}

// play forwards the camera's units with the fault applied.
func (f fault) play(ctx context.Context, inside *hub.Hub, camera string, to *ingest.Feed, live func()) error {
	sub, err := inside.Await(ctx, camera)
	if err != nil {
		return nil
	}
	defer sub.Close()
	var tracks *media.Tracks
	for {
		au, err := sub.Next(ctx)
		if err != nil {
			return nil
		}
		if tracks != au.Tracks {
			if tracks == nil {
				live()
			}
			tracks = au.Tracks
			to.SetTracks(*tracks)
		}
		if f.kind == "die" && au.DTS >= f.every {
			return errLeft
		}
		if f.apply(&au) {
			to.Write(au)
		}
	}
}

// apply applies the fault to a unit; false means that the unit is dropped.
func (f fault) apply(au *media.AccessUnit) bool {
	since := au.DTS % (f.every + f.lasts)
	switch f.kind {
	case "jump":
		if n := int(au.DTS / f.every); n > 0 {
			to := jumps[(n-1)%len(jumps)] - au.DTS.Truncate(f.every)
			au.DTS, au.PTS = au.DTS+to, au.PTS+to
		}
	case "freeze":
		return !au.Video() || since < f.every
	case "silence":
		return au.Video() || since < f.every
	}
	return true
}
