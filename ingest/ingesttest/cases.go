package ingesttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/testkit"
	"obvan/media"
)

// play sends units in real time, while going returns true.
func play(units []media.AccessUnit, c Camera, going func() bool) error {
	from := time.Now()
	for _, au := range units {
		<-time.After(time.Until(from.Add(au.DTS)))
		if !going() {
			return nil
		}
		if err := c.Send(au); err != nil {
			return err
		}
	}
	return nil
}

func always() bool { return true }

// live plays until the feed's first video frame is in the hub.
func (r *rig) live(t *testing.T, c Camera, stream string) {
	t.Helper()
	err := play(Units(r.Tracks, 10*rate), c, func() bool {
		st, ok := r.hub.Stream(stream)
		return !ok || st.Frames == 0
	})
	if err != nil {
		t.Fatalf("send: %v", err)
	}
	testkit.Eventually(t, 3*time.Second, func() bool {
		st, ok := r.hub.Stream(stream)
		return ok && st.Frames > 0
	}, "no video frame of %s in the hub", stream)
}

func appears(t *testing.T, r *rig) {
	c := r.camera(t, "cam1")
	r.live(t, c, "cam1")
	st, ok := r.hub.Stream("cam1")
	if !ok || st.Tracks == nil || len(*st.Tracks) != len(r.Tracks) {
		t.Fatalf("the stream is %+v", st)
	}
	if st.Origin.Proto == "" || st.Origin.Remote == "" {
		t.Errorf("its origin is missing: %+v", st.Origin)
	}
	for i, want := range r.Tracks {
		got := (*st.Tracks)[i]
		if got.Codec != want.Codec || got.Width != want.Width || got.Height != want.Height ||
			got.SampleRate != want.SampleRate || got.Channels != want.Channels {
			t.Errorf("track %d is %+v, not %+v", i, got, want)
		}
		if got.Codec != media.Opus && !bytes.Equal(got.Config, want.Config) {
			t.Errorf("the configuration of track %d is %x, not %x", i, got.Config, want.Config)
		}
	}
}

func unchanged(t *testing.T, r *rig) {
	units := Units(r.Tracks, 4*gop)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(20*time.Second))
	defer cancel()
	type result struct {
		got []media.AccessUnit
		err error
	}
	read := make(chan result, 1)
	all, see := awaited(len(r.Tracks), units)
	go func() {
		got, err := readAll(ctx, r.hub, "cam1", see)
		read <- result{got, err}
	}()
	c := r.camera(t, "cam1")
	// One frame more: some protocols detect the end of a unit by the next one.
	if err := play(Units(r.Tracks, 4*gop+1), c, always); err != nil {
		t.Fatalf("send: %v", err)
	}
	select { // the disconnect may overtake units that are still under way
	case <-all:
	case <-ctx.Done():
	}
	c.Leave()
	res := <-read
	if res.err != nil {
		t.Fatal(res.err)
	}
	for track := range r.Tracks {
		r.compare(t, of(track, units), of(track, res.got), r.Tracks[track].Codec)
	}
}

// awaited closes all once see was called with the last unit of each track.
func awaited(tracks int, units []media.AccessUnit) (all chan struct{}, see func(au media.AccessUnit)) {
	all, missing := make(chan struct{}), map[string]bool{}
	for track := range tracks {
		its := of(track, units)
		missing[string(its[len(its)-1].Data)] = true
	}
	return all, func(au media.AccessUnit) {
		if was := len(missing); was > 0 {
			if delete(missing, string(au.Data)); len(missing) == 0 {
				close(all)
			}
		}
	}
}

// readAll reads a stream from its first unit until its publisher disconnects.
func readAll(ctx context.Context, h *hub.Hub, name string, see func(media.AccessUnit)) ([]media.AccessUnit, error) {
	s, err := h.Await(ctx, name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var got []media.AccessUnit
	for {
		au, err := s.Next(ctx)
		if err == io.EOF {
			return got, nil
		}
		if err != nil {
			return got, fmt.Errorf("the stream does not end when its camera disconnects: %w", err)
		}
		got = append(got, au)
		see(au)
	}
}

func of(track int, units []media.AccessUnit) (of []media.AccessUnit) {
	for _, au := range units {
		if au.Track == track {
			of = append(of, au)
		}
	}
	return of
}

// compare finds got's first unit in sent, and expects all the others from there on. At
// most half a second may be missing at the start, before the server knew the tracks.
func (r *rig) compare(t *testing.T, sent, got []media.AccessUnit, c media.Codec) {
	t.Helper()
	if len(got) == 0 {
		t.Fatalf("%v: nothing arrived", c)
	}
	skip := 0
	for skip < len(sent) && !bytes.Equal(sent[skip].Data, got[0].Data) {
		skip++
	}
	if skip == len(sent) || sent[skip].DTS > time.Second/2 {
		t.Fatalf("%v: the first unit that arrived (%d bytes, key %v) is not one of the first that were sent", c, len(got[0].Data), got[0].Key)
	}
	sent = sent[skip:]
	if len(got) < len(sent) {
		t.Fatalf("%v: %d of %d units arrived", c, len(got), len(sent))
	}
	for i := range sent {
		a, b := &sent[i], &got[i]
		if !bytes.Equal(a.Data, b.Data) {
			t.Fatalf("%v: unit %d has changed: %d bytes, not %d", c, i, len(b.Data), len(a.Data))
		}
		if a.Key != b.Key {
			t.Errorf("%v: unit %d: key is %v", c, i, b.Key)
		}
		if d := (b.PTS - got[0].PTS) - (a.PTS - sent[0].PTS); d.Abs() > max(2*time.Millisecond, r.ClockTolerance) {
			t.Errorf("%v: the timestamp of unit %d is off by %v", c, i, d)
		}
	}
}

func wrongKey(t *testing.T, r *rig) {
	r.refused(t, "cam1", "sesame-3", "a wrong key")
	r.refused(t, "cam1", "", "no key")
	if all := r.hub.Streams(); len(all) != 0 {
		t.Errorf("in the hub: %+v", all)
	}
	r.live(t, r.camera(t, "cam1"), "cam1") // the right key is still accepted
}

func badNames(t *testing.T, r *rig) {
	for _, name := range []string{hub.Program, "-cam", ".cam", "cam!1"} {
		r.refused(t, name, Key, "a bad name")
	}
	if all := r.hub.Streams(); len(all) != 0 {
		t.Errorf("in the hub: %+v", all)
	}
}

func secondAfterLeave(t *testing.T, r *rig) { r.second(t, Camera.Leave) }
func secondAfterCut(t *testing.T, r *rig)   { r.second(t, Camera.Cut) }

func (r *rig) second(t *testing.T, end func(Camera)) {
	first := r.camera(t, "cam1")
	r.live(t, first, "cam1")
	r.refused(t, "cam1", Key, "a second publisher")
	if err := play(Units(r.Tracks, 3), first, always); err != nil {
		t.Fatalf("the first publisher was disturbed: %v", err)
	}
	end(first)
	testkit.Eventually(t, 2*time.Second, func() bool {
		_, taken := r.hub.Stream("cam1")
		return !taken
	}, "the name is still taken")
	r.live(t, r.camera(t, "cam1"), "cam1")
}

func silent(t *testing.T, r *rig) {
	if testing.Short() {
		t.Skip("waits for the peer timeout")
	}
	r.live(t, r.camera(t, "cam1"), "cam1")
	testkit.Eventually(t, ingest.PeerTimeout+2*time.Second, func() bool {
		_, taken := r.hub.Stream("cam1")
		return !taken
	}, "a camera that sends nothing keeps its name")
}

func abandoned(t *testing.T, r *rig) {
	for range 40 {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	r.live(t, r.camera(t, "cam1"), "cam1")
}

func cancelled(t *testing.T, r *rig) {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := r.camera(t, "cam1")
	r.live(t, c, "cam1")
	r.cancel()
	r.wait(t)
	if all := r.hub.Streams(); len(all) != 0 {
		t.Errorf("still in the hub: %+v", all)
	}
	if _, err := r.publish(t, "cam2", Key); err == nil {
		t.Error("a camera was admitted after the end")
	}
}
