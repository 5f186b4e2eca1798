package relaytest

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay"
	"obvan/relay/testserver"
)

func wholeProgram(t *testing.T, out Output) {
	p := begin(t, out, 3000)
	s := p.session()
	p.playUntil(10*time.Second, func() bool { return s.Counts().Frames >= 2*FrameRate }, "two seconds of video arrive")
	units := s.Units()
	if first := units[0]; !first.Video || !first.Key || first.DTS > time.Second {
		t.Fatalf("the first unit is video %v, key %v, at %v", first.Video, first.Key, first.DTS)
	}
	compare(t, p.Sent, units, 0, out.Unsupported)
	if !out.Unsupported.Audio {
		compare(t, p.Sent, units, 1, out.Unsupported)
	}
	if counts := s.Counts(); counts.Metadata == 0 && !out.Unsupported.Metadata || counts.Reversals > 0 {
		t.Fatalf("tally %+v", counts)
	}
	if n := p.link.Dropped.Load(); n != 0 {
		t.Fatalf("%d frames dropped", n)
	}
	if p.link.Sent.Load() == 0 {
		t.Fatal("nothing counted as sent")
	}
}

func proof(t *testing.T, out Output) {
	p := begin(t, out, 3000)
	p.playUntil(10*time.Second, p.link.IsLive, "live")
	s := p.out.Server.Last(Key)
	if s == nil {
		t.Fatal("live before the server took the stream")
	}
	// The server may not have read yet what its kernel has taken.
	p.playUntil(5*time.Second, func() bool { return s.Counts().Frames > 0 }, "the frames that proved it arrive")
}

func unpublish(t *testing.T, out Output) {
	p := begin(t, out, 3000)
	p.playUntil(10*time.Second, p.link.IsLive, "live")
	p.cancel()
	if err := p.result(2 * time.Second); err != nil {
		t.Fatalf("err = %v", err)
	}
	s := p.session()
	testkit.Eventually(t, 5*time.Second, func() bool { return s.Unpublished() && s.Ended() }, "the server sees the unpublish")
}

func refusal(t *testing.T, out Output) {
	out.Server.Behave(always(testserver.Behaviour{Refuse: "No stream " + Key + " here, " + url.QueryEscape(Key) + ". Sign: Zx90+="}))
	p := begin(t, out, 3000)
	if err := p.result(5 * time.Second); !errors.Is(err, relay.ErrRefused) {
		t.Fatalf("err = %v", err)
	}
	if p.link.IsLive() {
		t.Fatal("live although refused")
	}
}

func stall(t *testing.T, out Output) {
	out.Server.Behave(always(testserver.Behaviour{StallAfter: time.Second, Buffer: 4096}))
	p := begin(t, out, 50_000)
	p.playUntil(40*time.Second, p.over, "Push gives up")
	if err := p.result(0); !errors.Is(err, relay.ErrStalled) {
		t.Fatalf("err = %v", err)
	}
}

// stalledBesideGood pushes one program to two servers, one of which stops reading.
func stalledBesideGood(t *testing.T, good, stops Output) {
	stops.Server.Behave(always(testserver.Behaviour{StallAfter: testserver.Now, Buffer: 4096}))
	p := begin(t, good, 30_000)
	s := p.session()
	p.playUntil(10*time.Second, func() bool { return newest(s.Units()) >= 5*FrameRate }, "it plays alone")
	usual := 0 // how far behind it is alone, in frames
	for _, u := range s.Units() {
		if u.Video && FrameNumber(u.Data) > 3*FrameRate {
			usual = max(usual, p.writtenBy(u.Arrived)-FrameNumber(u.Data))
		}
	}
	alone := p.next
	stalled := follow(t, stops, p.Program)
	p.playUntil(40*time.Second, stalled.over, "the stalled one gives up")
	if err := stalled.result(0); !errors.Is(err, relay.ErrStalled) {
		t.Fatalf("err = %v", err)
	}
	p.playUntil(5*time.Second, func() bool { return newest(s.Units()) >= p.next-usual-FrameRate/2 }, "the good one is up to date")
	units, arrived := s.Units(), map[int]time.Time{}
	for _, u := range units {
		if u.Video {
			arrived[FrameNumber(u.Data)] = u.Arrived
		}
	}
	all, late := 0, 0 // one that waits for another does so as long as that is stalled
	for _, au := range p.Sent {
		if n := FrameNumber(au.Data); au.Track == 0 && n >= alone && n <= newest(units) {
			at, came := arrived[n]
			if all++; !came || p.writtenBy(at)-n > usual+FrameRate*6/10 {
				late++
			}
		}
	}
	if late > all/10 {
		t.Fatalf("of %d frames %d were late or missing at the good one", all, late)
	}
}

// writtenBy is the number of the newest frame that was written before a time. A busy
// machine also writes later: so latency is counted in frames.
func (p *push) writtenBy(at time.Time) int {
	written := -1
	for _, au := range p.Sent {
		if au.Track == 0 && !au.Arrived.After(at) {
			written = FrameNumber(au.Data)
		}
	}
	return written
}

// endStalled ends a session whose server takes nothing.
func endStalled(end func(p *push), within time.Duration) func(*testing.T, Output) {
	return func(t *testing.T, out Output) {
		out.Server.Behave(always(testserver.Behaviour{StallAfter: testserver.Now, Buffer: 4096}))
		p := begin(t, out, 200_000)
		p.playUntil(10*time.Second, func() bool { p.link.Measure(); return p.link.Unsent.Load() > 0 }, "data is waiting")
		ends := time.Now()
		end(p)
		if err := p.result(within); err != nil && !errors.Is(err, relay.ErrStalled) {
			t.Fatalf("err = %v", err)
		}
		scheme, _, _ := strings.Cut(out.Server.URL(), ":")
		_, name, _ := strings.Cut(t.Name(), "/")
		testkit.Measure(t, "relay "+scheme+": "+strings.ReplaceAll(name, "_", " "), testkit.Milliseconds(time.Since(ends)), "ms", testkit.AtMost(testkit.Milliseconds(within)))
	}
}

func closing(t *testing.T, out Output) {
	out.Server.Behave(always(testserver.Behaviour{CloseAfter: time.Second}))
	p := begin(t, out, 3000)
	p.playUntil(10*time.Second, p.over, "Push ends")
	if err := p.result(0); err == nil || errors.Is(err, relay.ErrRefused) {
		t.Fatalf("err = %v", err)
	}
}

func reset(t *testing.T, out Output) {
	out.Server.Behave(always(testserver.Behaviour{CloseAfter: testserver.Now, Reset: true}))
	p := begin(t, out, 3000)
	p.playUntil(10*time.Second, p.over, "Push ends")
	if err := p.result(0); err == nil {
		t.Fatal("no error")
	}
	if p.link.IsLive() {
		t.Fatal("live, with a server that closed at once")
	}
}

func silent(t *testing.T, out Output) {
	out.Server.Behave(always(testserver.Behaviour{NoAnswer: true}))
	p := begin(t, out, 3000)
	p.session()
	p.cancel()
	if err := p.result(2 * time.Second); err != nil {
		t.Fatalf("err = %v", err)
	}
}

func change(t *testing.T, out Output) {
	p := begin(t, out, 3000)
	s := p.session()
	p.playUntil(10*time.Second, func() bool { return s.Counts().Frames > 10 && (p.next%FrameRate == 0) }, "frames arrive")
	changed := p.next
	p.SetTracks(Tracks(1))
	p.playUntil(10*time.Second, func() bool { return newest(s.Units()) >= changed+10 }, "frames of the new codec arrive")
	before, after := Tracks(0), Tracks(1)
	channels := map[int]bool{}
	for _, u := range s.Units() {
		if !u.Video {
			channels[u.Track.Channels] = true
			continue
		}
		want := before[0]
		if FrameNumber(u.Data) >= changed {
			want = after[0]
		}
		if string(u.Track.Config) != string(want.Config) {
			t.Fatalf("frame %d came with another codec's parameter sets", FrameNumber(u.Data))
		}
	}
	if !out.Unsupported.Audio && (!channels[1] || !channels[2]) {
		t.Fatalf("audio came with %v channels", channels)
	}
}

// newest is the number of the last frame, -1 before the first.
func newest(units []testserver.Unit) int {
	for _, u := range slices.Backward(units) {
		if u.Video {
			return FrameNumber(u.Data)
		}
	}
	return -1
}

func programEnds(t *testing.T, out Output) {
	p := begin(t, out, 3000)
	p.playUntil(10*time.Second, p.link.IsLive, "live")
	p.Close()
	if err := p.result(2 * time.Second); err != nil {
		t.Fatalf("err = %v", err)
	}
	s := p.session()
	testkit.Eventually(t, 5*time.Second, s.Unpublished, "the server sees the unpublish")
}

// slow sends three times as much as the server takes: what arrives must still be
// decodable, frame by frame.
func slow(t *testing.T, out Output) {
	const size = 20_000
	out.Server.Behave(always(testserver.Behaviour{Rate: size * FrameRate / 3, Buffer: 16 << 10}))
	p := begin(t, out, size)
	s := p.session()
	p.playUntil(40*time.Second, func() bool { return p.link.Dropped.Load() > 2*FrameRate && s.Counts().Keyframes >= 3 }, "frames are dropped")
	if !p.link.IsLive() {
		t.Error("it has taken data all the time, but is not live")
	}
	missing, last := false, -1
	for _, u := range s.Units() {
		if !u.Video {
			continue
		}
		n := FrameNumber(u.Data)
		for lost := last + 1; last >= 0 && lost < n; lost++ {
			missing = missing || lost%2 == 0 || lost%FrameRate == 0 // others refer to it
		}
		if missing = missing && !u.Key; missing {
			t.Fatalf("frame %d came although one it refers to was dropped", n)
		}
		last = n
	}
	if n := s.Counts().Reversals; n > 0 {
		t.Fatalf("time decreased %d times", n)
	}
}

func noServer(t *testing.T, out Output) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	u, err := url.Parse(out.Server.URL())
	if err != nil {
		t.Fatal(err)
	}
	u.Host, u.Fragment = addr, Key
	p := NewProgram(t, 3000)
	p.WriteFrames(5)
	sub, err := p.Hub.Subscribe("program")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	err = out.Push(context.Background(), u, sub, relay.NewLink(nil))
	if err == nil {
		t.Fatal("no error")
	}
	checkKeyHidden(t, err)
}
