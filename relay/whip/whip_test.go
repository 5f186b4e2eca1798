package whip_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pion "github.com/pion/rtp"
	"github.com/pion/turn/v5"

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
		return relaytest.Output{Push: out.Push, Server: startEndpoint(t, 0), Unsupported: relaytest.Unsupported{Metadata: true, DecodeTimes: true, Audio: true, BackPressure: true}}
	})
}

// push sends the program until until returns true, and returns the link and Push's error.
func push(t *testing.T, f *endpointServer, p *relaytest.Program, until func(*relay.Link) bool) (*relay.Link, error) {
	t.Helper()
	return pushTo(t, f.URL(), p, until)
}

// pushTo is push to another address.
func pushTo(t *testing.T, address string, p *relaytest.Program, until func(*relay.Link) bool) (*relay.Link, error) {
	t.Helper()
	sub, err := p.Hub.Subscribe("program")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address + "#token")
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
		p.WriteFrame()
	}
	cancel()
	return link, <-ended
}

func TestBFramesAreRefused(t *testing.T) {
	f := startEndpoint(t, 0)
	p := relaytest.NewProgram(t, 1000)
	p.WriteFrames(3)
	at := p.Sent[len(p.Sent)-1].DTS + time.Second
	for i, pts := range []time.Duration{0, 120, 40, 80} {
		p.Write(media.AccessUnit{DTS: at + time.Duration(i)*40*time.Millisecond, PTS: at + pts*time.Millisecond, Key: i == 0, Data: []byte{0, 0, 0, 2, 0x65, 0x88}})
	}
	_, err := push(t, f, p, func(*relay.Link) bool { return false })
	if !errors.Is(err, relay.ErrUnsupported) || !strings.Contains(err.Error(), "B-frames") {
		t.Fatalf("err = %v", err)
	}
}

func TestALossyPathGetsFewerFrames(t *testing.T) {
	f := startEndpoint(t, 3) // more than repeats can recover in time
	p := relaytest.NewProgram(t, 8000)
	p.WriteFrames(5)
	link, err := push(t, f, p, func(l *relay.Link) bool { return l.Dropped.Load() > relaytest.FrameRate })
	if err != nil {
		t.Fatal(err)
	}
	if s := f.Last("token"); s.Counts().Keyframes == 0 {
		t.Fatalf("nothing arrived: %+v, %d dropped", s.Counts(), link.Dropped.Load())
	}
}

func TestCodecsThatReceiversDoNotAcceptAreRefused(t *testing.T) {
	f := startEndpoint(t, 0)
	p := relaytest.NewProgram(t, 1000)
	p.SetTracks(media.Tracks{{Codec: media.H265}})
	if _, err := push(t, f, p, func(*relay.Link) bool { return false }); !errors.Is(err, relay.ErrUnsupported) {
		t.Fatalf("err = %v", err)
	}
}

func TestARedirectIsFollowedWithTheTokenAndTheOffer(t *testing.T) {
	t.Parallel()
	for status, ok := range map[int]bool{http.StatusTemporaryRedirect: true, http.StatusPermanentRedirect: true, http.StatusFound: false} {
		f := startEndpoint(t, 0)
		f.redirect = status
		p := relaytest.NewProgram(t, 1000)
		p.WriteFrames(5)
		_, err := pushTo(t, strings.Replace(f.URL(), "/whip", "/elsewhere", 1), p, (*relay.Link).IsLive)
		if !ok {
			if !errors.Is(err, relay.ErrRefused) || !strings.Contains(err.Error(), "302") {
				t.Errorf("%d: err = %v", status, err)
			}
			continue
		}
		s := f.Last("token")
		if err != nil || s == nil {
			t.Fatalf("%d: err = %v", status, err)
		}
		testkit.Eventually(t, 5*time.Second, func() bool { return s.Counts().Keyframes > 0 }, "%d: a frame arrives", status)
		testkit.Eventually(t, 5*time.Second, s.Unpublished, "%d: the session is deleted at its own address", status)
	}
}

func TestAKeyInThePathIsNotRepeated(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no stream "+r.URL.Path, http.StatusNotFound)
	}))
	defer server.Close()
	p := relaytest.NewProgram(t, 1000)
	p.WriteFrames(5)
	_, err := pushTo(t, server.URL+"/s3cret-in-path/webRTC/publish", p, func(*relay.Link) bool { return false })
	if !errors.Is(err, relay.ErrRefused) || !strings.Contains(err.Error(), "no stream /***/webRTC/publish") {
		t.Errorf("err = %v", err)
	}
}

// startTURN is a TURN server on this machine with one user.
func startTURN(t *testing.T) (address string, used func() bool) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Bool
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "test",
		AuthHandler: func(a *turn.RequestAttributes) (string, []byte, bool) {
			asked.Store(true)
			return a.Username, turn.GenerateAuthKey(a.Username, a.Realm, "hush"), a.Username == "us"
		},
		PacketConnConfigs: []turn.PacketConnConfig{{
			PacketConn:            conn,
			RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"},
			PermissionHandler:     func(net.Addr, net.IP) bool { return true },
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return conn.LocalAddr().String(), asked.Load
}

func TestICEServersFromTheAnswerAreUsed(t *testing.T) {
	t.Parallel()
	address, used := startTURN(t)
	f := startEndpoint(t, 0)
	f.hidden, f.links = true, []string{`<turn:` + address + `?transport=udp>; rel="ice-server"; username="us"; credential="hush"; credential-type="password"`}
	p := relaytest.NewProgram(t, 1000)
	p.WriteFrames(5)
	if _, err := push(t, f, p, (*relay.Link).IsLive); err != nil {
		t.Fatal(err)
	}
	if s := f.Last("token"); !used() || s.Counts().Keyframes == 0 {
		t.Fatalf("through the relay %v, %+v", used(), s.Counts())
	}
}

func TestMissingAudioIsAWarning(t *testing.T) {
	t.Parallel()
	f := startEndpoint(t, 0)
	p := relaytest.NewProgram(t, 1000)
	tracks := relaytest.Tracks(0)
	tracks[1] = media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 6}
	p.SetTracks(tracks)
	p.WriteFrames(5)
	link, err := push(t, f, p, func(l *relay.Link) bool { return l.IsLive() && l.Warning() != "" })
	if err != nil || !strings.Contains(link.Warning(), "without audio") {
		t.Fatalf("%q, err = %v", link.Warning(), err)
	}
}

func TestTheAudioStreamContinuesAcrossACodecChange(t *testing.T) {
	t.Parallel()
	f := startEndpoint(t, 0)
	p := relaytest.NewProgram(t, 1000)
	opus := func(channels int) {
		tracks := relaytest.Tracks(0)
		tracks[1] = media.Track{Codec: media.Opus, SampleRate: 48000, Channels: channels, Config: []byte{0, byte(channels), 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 0}}
		p.SetTracks(tracks)
	}
	opus(2)
	p.WriteFrames(5)
	changes, heard := 0, func() []pion.Header {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, peer := range f.peers {
			return peer.opusHeaders()
		}
		return nil
	}
	_, err := push(t, f, p, func(*relay.Link) bool {
		if len(heard()) > 30*(changes+1) && changes < 2 { // a camera with one microphone is cut to, and away from
			changes++
			opus(2 - changes%2)
		}
		return len(heard()) > 100
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range heard()[1:] {
		before := heard()[i]
		if on := int32(h.Timestamp - before.Timestamp); h.SequenceNumber != before.SequenceNumber+1 || on < 0 || on > 5*audioRate {
			t.Fatalf("packet %d is number %d at %d, after %d at %d", i+1, h.SequenceNumber, h.Timestamp, before.SequenceNumber, before.Timestamp)
		}
	}
}

const audioRate = 48000
