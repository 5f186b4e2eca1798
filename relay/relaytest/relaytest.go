// Package relaytest is the contract of an output: what each relay.Push must do, run
// against a server that behaves and one that does not.
package relaytest

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/testserver"
)

// Key is what the contract publishes with: awkward on purpose.
const Key = "Live_42-x/y%2F?sign=Zx90+=&t=77deadbeef"

// Output is an output and a server for it. Push must give up a server that takes nothing
// for about a second.
type Output struct {
	Push        relay.Push
	Server      Server
	Unsupported Unsupported
}

// Unsupported is what a protocol can't do.
type Unsupported struct {
	Metadata     bool // a description beside the stream
	DecodeTimes  bool // only presentation times travel
	Audio        bool // AAC can't be carried as it is
	BackPressure bool // a server can't slow the sender down: what is too much gets lost
}

// Server takes what Push sends.
type Server interface {
	URL() string // without a key
	Behave(func(key string) testserver.Behaviour)
	Last(key string) *testserver.Session // the newest with key, nil when there is none
}

const (
	slowName   = "a slow server gets whole GOPs"
	cancelName = "cancelling ends a stalled session in time"
	leftName   = "a server that was given up is left at once"
)

// Test runs the contract.
func Test(t *testing.T, start func(t *testing.T) Output) {
	for name, test := range map[string]func(*testing.T, Output){
		"the whole program arrives in order, rebased, from a keyframe on": wholeProgram,
		"live is reported only once the server takes data":                proof,
		"cancelling unpublishes":                                          unpublish,
		"a refused key is ErrRefused and not repeated":                    refusal,
		"a server that stops reading is ErrStalled":                       stall,
		cancelName:                         endStalled(func(p *push) { p.cancel() }, 2*time.Second),
		leftName:                           endStalled(func(p *push) { p.abort(relay.ErrStalled) }, 700*time.Millisecond),
		"a server that closes is an error": closing,
		"a server that resets is an error": reset,
		"a server that never answers can be cancelled":                   silent,
		"a change of tracks arrives with the units it belongs to":        change,
		"the end of the program unpublishes":                             programEnds,
		slowName:                                                         slow,
		"an unreachable server is an error that does not repeat the key": noServer,
	} {
		if testkit.Measuring() && name != cancelName && name != leftName {
			continue // only these are measured
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each has its own server, and most wait
			out := start(t)
			if name == slowName && out.Unsupported.BackPressure {
				t.Skip("the protocol has no back pressure")
			}
			test(t, out)
		})
	}
	if testkit.Measuring() {
		return
	}
	t.Run("a stalled server does not slow another", func(t *testing.T) {
		t.Parallel()
		stalledBesideGood(t, start(t), start(t))
	})
}

// push is a Push under way.
type push struct {
	*Program
	t      *testing.T
	out    Output
	link   *relay.Link
	cancel context.CancelFunc
	abort  context.CancelCauseFunc
	ended  chan error
}

// begin pushes a program with frames of size bytes.
func begin(t *testing.T, out Output, size int) *push {
	program := NewProgram(t, size)
	program.WriteFrames(2*FrameRate + 5) // it starts within the third second
	return follow(t, out, program)
}

// follow pushes a program that exists already.
func follow(t *testing.T, out Output, program *Program) *push {
	p := &push{Program: program, t: t, out: out, link: relay.NewLink(nil), ended: make(chan error, 1)}
	u, err := url.Parse(out.Server.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Fragment = Key
	sub, err := p.Hub.Subscribe("program")
	if err != nil {
		t.Fatal(err)
	}
	ctx, drop := context.WithCancelCause(t.Context())
	cancel := func() { drop(nil) }
	p.cancel, p.abort = cancel, drop
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer sub.Close()
		p.ended <- out.Push(ctx, u, sub, p.link)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return p
}

// session is the server's side of it, once it exists.
func (p *push) session() *testserver.Session {
	p.t.Helper()
	testkit.Eventually(p.t, 5*time.Second, func() bool { return p.out.Server.Last(Key) != nil }, "the server gets the key %s", Key)
	return p.out.Server.Last(Key)
}

// result is what Push returned, which must not repeat the key.
func (p *push) result(within time.Duration) error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			checkKeyHidden(p.t, err)
		}
		return err
	case <-time.After(testkit.Allow(within) + 100*time.Millisecond):
		p.t.Fatalf("Push has not ended within %v", within)
		return nil
	}
}

// playUntil writes frames in real time until done returns true.
func (p *push) playUntil(within time.Duration, done func() bool, what string) {
	p.t.Helper()
	tick := time.NewTicker(frame)
	defer tick.Stop()
	within = testkit.Allow(within)
	for deadline := time.Now().Add(within); !done(); <-tick.C {
		if p.over() {
			p.t.Fatalf("%s: Push ended before that: %v", what, <-p.ended)
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("not within %v: %s", within, what)
		}
		p.WriteFrame()
	}
}

func (p *push) over() bool { return len(p.ended) > 0 }

func checkKeyHidden(t *testing.T, err error) {
	t.Helper()
	for _, part := range []string{"Live_42", "Zx90", "deadbeef"} {
		if strings.Contains(err.Error(), part) {
			t.Errorf("the key is in %q", err)
		}
	}
}

// presented replaces decode times, where a protocol does not carry them, by presentation
// times.
func presented(sent []media.AccessUnit, got []testserver.Unit) ([]media.AccessUnit, []testserver.Unit) {
	sent, got = slices.Clone(sent), slices.Clone(got)
	for i := range sent {
		sent[i].DTS = sent[i].PTS
	}
	for i := range got {
		got[i].DTS = got[i].PTS
	}
	return sent, got
}

func always(b testserver.Behaviour) func(string) testserver.Behaviour {
	return func(string) testserver.Behaviour { return b }
}

// compare checks units that arrived against those that were sent.
func compare(t *testing.T, sent []media.AccessUnit, got []testserver.Unit, track int, unsupported Unsupported) {
	t.Helper()
	if unsupported.DecodeTimes {
		sent, got = presented(sent, got)
	}
	var want []media.AccessUnit
	for _, au := range sent {
		if au.Track == track {
			want = append(want, au)
		}
	}
	var have []testserver.Unit
	for _, u := range got {
		if u.Video == (track == 0) {
			have = append(have, u)
		}
	}
	if len(have) < 10 {
		t.Fatalf("only %d units of track %d arrived", len(have), track)
	}
	for len(want) > 0 && string(want[0].Data) != string(have[0].Data) {
		want = want[1:]
	}
	if len(want) < len(have) {
		t.Fatalf("%d units of track %d arrived, at most %d were sent from the first on", len(have), track, len(want))
	}
	for i, u := range have {
		w := want[i]
		if string(u.Data) != string(w.Data) || u.Key != w.Key {
			t.Fatalf("unit %d of track %d is not what was sent", i, track)
		}
		if off := (u.DTS - have[0].DTS) - (w.DTS - want[0].DTS); off > 2*time.Millisecond || off < -2*time.Millisecond {
			t.Fatalf("unit %d of track %d is %v off", i, track, off)
		}
		if off := (u.PTS - u.DTS) - (w.PTS - w.DTS); off > time.Millisecond || off < -time.Millisecond {
			t.Fatalf("unit %d of track %d: composition time %v off", i, track, off)
		}
	}
}
