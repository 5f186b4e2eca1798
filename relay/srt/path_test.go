package srt_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/srt"
	"obvan/relay/testserver"
)

// pushed is a Push of a program under way.
func pushed(t *testing.T, out *srt.Output, address string, p *relaytest.Program) (*relay.Link, chan error) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := p.Hub.Subscribe("program")
	if err != nil {
		t.Fatal(err)
	}
	link, ended, done := relay.NewLink(nil), make(chan error, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		defer sub.Close()
		ended <- out.Push(ctx, u, sub, link)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return link, ended
}

// play writes frames in real time until done.
func play(t *testing.T, p *relaytest.Program, within time.Duration, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Second / relaytest.FrameRate)
	defer tick.Stop()
	within = testkit.Allow(within)
	for end := time.Now().Add(within); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within %v", within)
		}
		p.WriteFrame()
	}
}

func TestALossyPathDeliversAllFrames(t *testing.T) {
	for name, c := range map[string]struct {
		round time.Duration
		query string
		may   int // frames that may be missing
	}{
		"near": {0, "?latency=2500", 0}, "far": {80 * time.Millisecond, "?latency=2500", 0},
		"across an ocean, without a latency in the address": {300 * time.Millisecond, "", 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startReceiver(t, "", 20)
			f.path.setRTT(c.round)
			p := relaytest.NewProgram(t, 5000) // little: datagrams that a busy machine delays are lost too
			p.WriteFrames(5)
			link, _ := pushed(t, srt.New(), f.URL()+c.query+"#cam", p)
			testkit.Eventually(t, 5*time.Second, func() bool { return f.Last("cam") != nil }, "a session")
			s := f.Last("cam")
			play(t, p, 15*time.Second, func() bool { return s.Counts().Frames >= 100 })
			last, missing := -1, 0
			for _, u := range s.Units() {
				if n := relaytest.FrameNumber(u.Data); u.Video {
					if last >= 0 {
						missing += n - last - 1
					}
					last = n
				}
			}
			// A busy machine adds to a path's delay, which a given latency has room for. If
			// nothing was sent again, a quarter would be missing.
			if missing += int(link.Dropped.Load()); missing > c.may {
				t.Fatalf("%d frames are missing", missing)
			}
			testkit.Measure(t, "relay srt: 5 % loss, "+name+": frames missing of 100", float64(missing), "", testkit.AtMost(0))
		})
	}
}

func TestThePassphraseIsTheKeyWhenTheAddressHasAStreamID(t *testing.T) {
	const passphrase = "0123456789abcdef"
	f := startReceiver(t, passphrase, 0)
	p := relaytest.NewProgram(t, 3000)
	p.WriteFrames(5)
	link, _ := pushed(t, srt.New(), f.URL()+"?streamid=cam%2F1&latency=50&pbkeylen=32#"+passphrase, p)
	play(t, p, 10*time.Second, link.IsLive)
	s := f.Last("cam/1")
	if s == nil || s.Counts().Frames == 0 {
		t.Fatal("no frames under the stream ID")
	}
	_, ended := pushed(t, srt.New(), f.URL()+"?streamid=cam&passphrase=another-passphrase", p)
	if err := <-ended; !errors.Is(err, relay.ErrRefused) || strings.Contains(err.Error(), "another") {
		t.Fatalf("err = %v", err)
	}
}

func TestInvalidAddressesAreRefused(t *testing.T) {
	p := relaytest.NewProgram(t, 3000)
	for address, want := range map[string]string{
		"srt://127.0.0.1":                                                "port",
		"srt://u:secret-word@127.0.0.1:1":                                "user name",
		"srt://127.0.0.1:1?latency=soon":                                 "milliseconds",
		"srt://127.0.0.1:1?mode=listener":                                "caller",
		"srt://127.0.0.1:1?pbkeylen=8":                                   "16, 24 or 32",
		"srt://127.0.0.1:1?passphrase=short":                             "10 to 79",
		"srt://127.0.0.1:1?streamid=a&passphrase=0123456789#secret-word": "no place for the key",
		"srt://127.0.0.1:1#" + strings.Repeat("secret-word", 60):         "512",
	} {
		_, ended := pushed(t, srt.New(), address, p)
		if err := <-ended; !errors.Is(err, relay.ErrRefused) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: err = %v", address, err)
		}
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	f := startReceiver(t, "", 0)
	f.Behave(func(string) testserver.Behaviour { return testserver.Behaviour{Refuse: "no"} })
	p := relaytest.NewProgram(t, 3000)
	p.WriteFrames(5)
	_, ended := pushed(t, srt.New(), f.URL()+"#cam", p)
	if err := <-ended; !errors.Is(err, relay.ErrRefused) || !strings.Contains(err.Error(), "does not allow") {
		t.Fatalf("err = %v", err)
	}
}

// Nothing is sent while nothing is on air, and still a lost receiver is detected.
func TestAReceiverLostWhileTheProgramIsSilentIsDetected(t *testing.T) {
	t.Parallel()
	f := startReceiver(t, "", 0)
	p := relaytest.NewProgram(t, 3000)
	p.WriteFrames(5)
	link, _ := pushed(t, srt.New(), f.URL()+"#cam", p)
	play(t, p, 10*time.Second, link.IsLive)
	silentFor := func() time.Duration { link.Measure(); return time.Duration(link.SilentFor.Load()) }
	silent := time.Now() // a working receiver sends keep-alives
	testkit.Eventually(t, 10*time.Second, func() bool {
		if m := silentFor(); m > 2*time.Second {
			t.Fatalf("silent for %v", m)
		}
		return time.Since(silent) > 4*time.Second
	}, "the program is silent for a while")
	f.path.behave(testserver.Behaviour{StallAfter: time.Millisecond})
	testkit.Eventually(t, 10*time.Second, func() bool { return silentFor() > 2*time.Second }, "the loss is detected")
}
