package selftest_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/selftest"
	"obvan/internal/testkit"
	"obvan/media"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// pull plays a self-test camera and returns what it sent within a time.
func pull(t *testing.T, address string, within time.Duration) (units []media.AccessUnit, corrections map[string]uint64, err error) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	env := ingest.Env{Hub: hub.New(), Log: slog.New(slog.DiscardHandler), Authorise: func(ingest.Request) error { return nil }}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- selftest.Pull(ctx, u, env, "cam", func() {}) }()
	sub, e := env.Hub.Await(ctx, "cam")
	if e != nil {
		return nil, nil, <-ended
	}
	defer sub.Close()
	for {
		au, e := sub.Next(ctx)
		if e != nil {
			break
		}
		units = append(units, au)
		if st, ok := env.Hub.Stream("cam"); ok && st.Origin.Corrections != nil {
			corrections = st.Origin.Corrections()
		}
	}
	return units, corrections, <-ended
}

// longest is the longest time without video, or without audio, by the units' own times.
func longest(units []media.AccessUnit, video bool) (gap time.Duration) {
	last := time.Duration(-1)
	for _, au := range units {
		if au.Video() != video {
			continue
		}
		if last >= 0 {
			gap = max(gap, au.DTS-last)
		}
		last = au.DTS
	}
	return gap
}

func TestEachSelfTestCameraHasItsFault(t *testing.T) {
	t.Run("jump", func(t *testing.T) {
		t.Parallel()
		units, corrections, err := pull(t, "selftest://jump?every=1s", 4*time.Second)
		if err != nil || len(corrections) == 0 {
			t.Fatalf("%d units, repairs %v, err = %v", len(units), corrections, err)
		}
		for i := 1; i < len(units); i++ {
			if step := units[i].DTS - units[i-1].DTS; step > time.Second || step < -time.Second {
				t.Fatalf("the corrected timestamps jump by %v", step)
			}
		}
	})
	t.Run("freeze", func(t *testing.T) {
		t.Parallel()
		units, _, err := pull(t, "selftest://freeze?every=1s&for=1s", 4*time.Second)
		if p, s := longest(units, true), longest(units, false); err != nil || p < 700*time.Millisecond || s > 700*time.Millisecond {
			t.Fatalf("video stops for %v, audio for %v, err = %v", p, s, err)
		}
	})
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		units, _, err := pull(t, "selftest://silence/cam3?every=1s&for=1s", 4*time.Second)
		if p, s := longest(units, true), longest(units, false); err != nil || s < 700*time.Millisecond || p > 700*time.Millisecond {
			t.Fatalf("video stops for %v, audio for %v, err = %v", p, s, err)
		}
	})
	t.Run("die", func(t *testing.T) {
		t.Parallel()
		units, _, err := pull(t, "selftest://die?every=500ms", 5*time.Second)
		if err == nil || len(units) == 0 {
			t.Fatalf("%d units, err = %v", len(units), err)
		}
	})
}

func TestUnknownSelfTestCamerasAreRefused(t *testing.T) {
	for address, want := range map[string]error{"selftest://explode": selftest.ErrUnknownFault, "selftest://die?every=often": selftest.ErrInvalidDuration} {
		if _, _, err := pull(t, address, time.Second); !errors.Is(err, want) {
			t.Errorf("%s: err = %v", address, err)
		}
	}
	if _, _, err := pull(t, "selftest://die/cam9", time.Second); err == nil {
		t.Error("an unknown camera was accepted")
	}
}
