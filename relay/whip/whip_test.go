package whip_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/whip"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestContract(t *testing.T) {
	relaytest.Test(t, func(t *testing.T) relaytest.Output {
		out := whip.New(nil)
		out.Stall, out.Backlog = 2500*time.Millisecond, 2*time.Second
		return relaytest.Output{Push: out.Push, FarEnd: startFarEnd(t, 0), Lacks: relaytest.Lacks{Metadata: true, DecodeTimes: true, Sound: true, Pressure: true}}
	})
}

// push sends what write makes until ended, and returns the far end's session and
// Push's error.
func push(t *testing.T, f *farEnd, p *relaytest.Program, until func(*relay.Link) bool) (*relay.Link, error) {
	t.Helper()
	sub, err := p.Hub.Subscribe("program")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(f.URL() + "#token")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	link, ended := relay.NewLink(nil), make(chan error, 1)
	go func() { defer sub.Close(); ended <- whip.New(nil).Push(ctx, u, sub, link) }()
	tick := time.NewTicker(time.Second / relaytest.FrameRate)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); len(ended) == 0 && !until(link); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("not within 20 s")
		}
		p.Picture()
	}
	cancel()
	return link, <-ended
}

func TestBFramesAreRefusedInWords(t *testing.T) {
	f := startFarEnd(t, 0)
	p := relaytest.NewProgram(t, 1000)
	p.Pictures(3)
	at := p.Sent[len(p.Sent)-1].DTS + time.Second
	for i, pts := range []time.Duration{0, 120, 40, 80} {
		p.Write(media.AccessUnit{DTS: at + time.Duration(i)*40*time.Millisecond, PTS: at + pts*time.Millisecond, Key: i == 0, Data: []byte{0, 0, 0, 2, 0x65, 0x88}})
	}
	_, err := push(t, f, p, func(*relay.Link) bool { return false })
	if !errors.Is(err, relay.ErrUnsupported) || !strings.Contains(err.Error(), "B-frames") {
		t.Fatalf("err = %v", err)
	}
}

func TestALossyPathGetsFewerPicturesAndNoneTooLate(t *testing.T) {
	f := startFarEnd(t, 3) // more than repeats can mend in time
	f.udp.lose = 3         // of them one: more than repeats can mend in time
	p := relaytest.NewProgram(t, 8000)
	p.Pictures(5)
	link, err := push(t, f, p, func(l *relay.Link) bool { return l.Dropped.Load() > relaytest.FrameRate })
	if err != nil {
		t.Fatal(err)
	}
	if s := f.Last("token"); s.Tally().KeyFrames == 0 {
		t.Fatalf("nothing arrived: %+v, %d left out", s.Tally(), link.Dropped.Load())
	}
}

func TestCodecsThatReceiversDoNotTakeAreRefused(t *testing.T) {
	f := startFarEnd(t, 0)
	p := relaytest.NewProgram(t, 1000)
	p.SetTracks(media.Tracks{{Codec: media.H265}})
	if _, err := push(t, f, p, func(*relay.Link) bool { return false }); !errors.Is(err, relay.ErrUnsupported) {
		t.Fatalf("err = %v", err)
	}
}
