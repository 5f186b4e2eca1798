package demo_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/demo"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestEachCameraLoopsSeamlessly(t *testing.T) {
	for _, name := range demo.Cameras {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { watch(t, name) })
		})
	}
}

// watch reads 70 s of a camera, a bit more than two loops.
func watch(t *testing.T, name string) {
	h := hub.New()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		env := ingest.Env{Hub: h, Log: slog.New(slog.DiscardHandler)}
		ended <- demo.Pull(ctx, &url.URL{Scheme: "demo", Host: name}, env, name, func() {})
	}()
	sub, err := h.Await(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	counts := [2]int{}
	last := [2]time.Duration{-1, -1}
	for last[0] < 70*time.Second {
		au, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		grid := time.Duration(counts[au.Track]) * time.Second / 30
		if au.Track == 1 {
			grid = time.Duration(counts[1]) * 1024 * time.Second / 48000
		}
		if au.DTS != grid || au.PTS != au.DTS || au.DTS <= last[au.Track] {
			t.Fatalf("unit %d of track %d is at %v, want %v", counts[au.Track], au.Track, au.DTS, grid)
		}
		if key := counts[0]%30 == 0; au.Track == 0 && au.Key != key {
			t.Fatalf("video frame %d: key = %v", counts[0], au.Key)
		}
		counts[au.Track]++
		last[au.Track] = au.DTS
	}
	if skew := last[0] - last[1]; skew.Abs() > 40*time.Millisecond {
		t.Fatalf("audio is %v behind the video", skew)
	}
	tracks := *sub.Tracks()
	if tracks[0].Width != 1280 || tracks[0].Height != 720 || tracks[1].SampleRate != 48000 || tracks[1].Channels != 2 {
		t.Fatalf("tracks = %+v", tracks)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestAnUnknownCameraIsRefused(t *testing.T) {
	err := demo.Pull(t.Context(), &url.URL{Scheme: "demo", Host: "../secret"}, ingest.Env{Hub: hub.New()}, "x", func() {})
	if !errors.Is(err, demo.ErrNoCamera) {
		t.Fatalf("err = %v", err)
	}
}
