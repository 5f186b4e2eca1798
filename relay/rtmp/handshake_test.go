package rtmp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/yutopp/go-rtmp/handshake"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/amf0"
	chunks "obvan/media/rtmp"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
)

// script is a server simulated by the test: it completes the handshake and answers by name
// of command.
type script func(w *chunks.Writer, name string, values []any) (goOn bool)

// serveScript serves one connection with s and returns its address.
func serveScript(t *testing.T, s script) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if handshake.HandshakeWithClient(conn, conn, &handshake.Config{SkipHandshakeVerification: true}) != nil {
			return
		}
		r, w := chunks.NewReader(conn), chunks.NewWriter(conn)
		for goOn := true; goOn; {
			m, err := r.Read()
			if err != nil {
				return
			}
			name, values := "", []any(nil)
			switch m.Type {
			case chunks.TypeCommand:
				values, _ = amf0.Decode(m.Payload)
				name, _ = values[0].(string)
			case chunks.TypeAck:
				name, values = "ack", []any{m.Uint32()}
			case chunks.TypeUserControl:
				event, v, _ := m.Event()
				name, values = "event", []any{event, v}
			}
			goOn = s(w, name, values)
			if _, err := w.Flush(); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, conn) // the peer closes, so that what we sent arrives
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

// pushTo pushes a short program to an address and returns what became of it.
func pushTo(t *testing.T, raw string, link *relay.Link) error {
	return pushUntil(t.Context(), t, raw, link)
}

func pushUntil(ctx context.Context, t *testing.T, raw string, link *relay.Link) error {
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	p := relaytest.NewProgram(t, 1000)
	p.WriteFrames(30)
	sub, err := p.Hub.Subscribe("program")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	ctx, cancel := context.WithTimeout(ctx, testkit.Allow(8*time.Second))
	defer cancel()
	return rtmp.New(nil).Push(ctx, u, sub, link)
}

func info(level, code, words string) amf0.Object {
	return amf0.Object{{Name: "level", Value: level}, {Name: "code", Value: code}, {Name: "description", Value: words}}
}

// accept answers as servers do, up to publish.
func accept(w *chunks.Writer, name string, values []any) {
	switch name {
	case "connect":
		w.Command(0, "_result", 1, nil, info("status", "NetConnection.Connect.Success", ""))
	case "createStream":
		w.Command(0, "_result", values[1].(float64), nil, 7.0)
	}
}

func TestAServersRefusalIsShownInItsOwnWords(t *testing.T) {
	for what, c := range map[string]struct {
		at    string
		say   func(w *chunks.Writer)
		words string
	}{
		"connect is rejected": {"connect", func(w *chunks.Writer) {
			w.Command(0, "_error", 1, nil, info("error", "NetConnection.Connect.Rejected", "no such application"))
		}, "no such application (Rejected)"},
		"createStream fails": {"createStream", func(w *chunks.Writer) {
			w.Command(0, "_error", 4, nil, info("error", "NetConnection.Call.Failed", "no more streams"))
		}, "no more streams"},
		"a bad name": {"publish", func(w *chunks.Writer) {
			w.Command(7, "onStatus", 0, nil, info("error", "NetStream.Publish.BadName", "Already publishing"))
		}, "Already publishing (BadName)"},
		"a code alone": {"publish", func(w *chunks.Writer) {
			w.Command(7, "onStatus", 0, nil, info("", "NetStream.Publish.Denied", ""))
		}, "NetStream.Publish.Denied"},
		"a text that is too long and repeats the key": {"publish", func(w *chunks.Writer) {
			w.Command(7, "onStatus", 0, nil, info("error", "x", "stream sek%2Fret7 "+strings.Repeat("\x1b[31mA\n", 100)))
		}, "stream *** "},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			addr := serveScript(t, func(w *chunks.Writer, name string, values []any) bool {
				if name == c.at {
					c.say(w)
					return false
				}
				accept(w, name, values)
				return true
			})
			err := pushTo(t, "rtmp://"+addr+"/app#sek/ret7", relay.NewLink(nil))
			if !errors.Is(err, relay.ErrRefused) || !strings.Contains(err.Error(), c.words) {
				t.Fatalf("err = %v", err)
			}
			if text := err.Error(); strings.Contains(text, "ret7") || strings.ContainsAny(text, "\x1b\n") || len(text) > 400 {
				t.Fatalf("err = %q", text)
			}
		})
	}
}

func TestAServerThatNeverAnswersTheCommandIsGivenUp(t *testing.T) {
	addr := serveScript(t, func(w *chunks.Writer, name string, values []any) bool {
		for range 300 {
			w.Command(0, "onBWDone", 0, nil)
		}
		return true
	})
	if err := pushTo(t, "rtmp://"+addr+"/app#k", relay.NewLink(nil)); err == nil || !strings.Contains(err.Error(), "never answers the command") {
		t.Fatalf("err = %v", err)
	}
}

func TestTheServersPingsAndAckRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	addr := serveScript(t, func(w *chunks.Writer, name string, values []any) bool {
		accept(w, name, values)
		switch name {
		case "connect":
			w.Control(chunks.TypeWindowAck, 4096)
		case "publish":
			w.Command(7, "onStatus", 0, nil, info("status", "NetStream.Publish.Start", ""))
			w.Event(chunks.EventPingRequest, 4242)
			for range 400 {
				w.Command(7, "onNoise", 0, nil, "what servers send all the time")
			}
		case "ack":
			got <- "ack"
		case "event":
			if values[0] == chunks.EventPingResponse && values[1] == uint32(4242) {
				got <- "pong"
			}
		}
		return true
	})
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- pushUntil(ctx, t, "rtmp://"+addr+"/app#k", relay.NewLink(nil)) }()
	want := map[string]bool{"ack": true, "pong": true}
	for deadline := time.After(testkit.Allow(5 * time.Second)); len(want) > 0; {
		select {
		case what := <-got:
			delete(want, what)
		case <-deadline:
			t.Fatalf("the server still waits for %v", want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatalf("err = %v", err)
	}
}

func TestTheCommandsCarryAppNameAndAddressAsTyped(t *testing.T) {
	for raw, want := range map[string]string{
		"/live2?backup=1#ab-cd?x=1&y=/z":  "live2?backup=1|ab-cd?x=1&y=/z",
		"/live/inst/#k":                   "live/inst|k",
		"/app/name%20x?token=a%2Fb":       "app|name%20x?token=a%2Fb",
		"/app#FB-1-0-Ab?s_bl=1&s_sw=0&a=": "app|FB-1-0-Ab?s_bl=1&s_sw=0&a=",
	} {
		app, got := "", make(chan string, 1)
		addr := serveScript(t, func(w *chunks.Writer, cmd string, values []any) bool {
			accept(w, cmd, values)
			switch cmd {
			case "connect":
				about := values[2].(amf0.Object)
				app = about.String("app")
				if tc := about.String("tcUrl"); !strings.HasSuffix(tc, "/"+app) || !strings.HasPrefix(tc, "rtmp://127.0.0.1:") {
					t.Errorf("tcUrl %q", tc)
				}
			case "publish":
				got <- app + "|" + values[3].(string)
				w.Command(7, "onStatus", 0, nil, info("error", "NetStream.Publish.BadName", ""))
				return false
			}
			return true
		})
		_ = pushTo(t, "rtmp://"+addr+raw, relay.NewLink(nil))
		if got := <-got; got != want {
			t.Errorf("%s: app and name %q, want %q", raw, got, want)
		}
	}
}

func TestAddressesWithoutAnAppAreRefused(t *testing.T) {
	for _, raw := range []string{"rtmp://127.0.0.1:1", "rtmp://127.0.0.1:1/#k", "rtmp://u:p4ssword@127.0.0.1:1/app#k"} {
		err := pushTo(t, raw, relay.NewLink(nil))
		if !errors.Is(err, relay.ErrRefused) || strings.Contains(err.Error(), "p4ssword") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestTheServersCertificateIsChecked(t *testing.T) {
	asked := make(chan string, 10)
	server, roots := testkit.Certificate(t, "localhost")
	server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) { asked <- h.ServerName; return nil, nil }
	s := startServer(t, server)
	_, port, _ := net.SplitHostPort(s.Addr())
	push := func(host string, out *rtmp.Output) error {
		p := relaytest.NewProgram(t, 1000)
		p.WriteFrames(3)
		sub, err := p.Hub.Subscribe("program")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(5*time.Second))
		defer cancel()
		link := relay.NewLink(cancel) // enough is proven
		measure := time.AfterFunc(2*time.Second, link.Measure)
		defer measure.Stop()
		return out.Push(ctx, &url.URL{Scheme: "rtmps", Host: net.JoinHostPort(host, port), Path: "/live", Fragment: "k"}, sub, link)
	}
	var verify *tls.CertificateVerificationError
	if err := push("127.0.0.1", rtmp.New(&tls.Config{RootCAs: roots})); !errors.As(err, &verify) {
		t.Errorf("another host's certificate: %v", err)
	}
	if err := push("localhost", rtmp.New(nil)); !errors.As(err, &verify) {
		t.Errorf("an untrusted certificate: %v", err)
	}
	for len(asked) > 0 {
		<-asked
	}
	ended := make(chan error, 1)
	go func() { ended <- push("localhost", rtmp.New(&tls.Config{RootCAs: roots})) }()
	if name := <-asked; name != "localhost" {
		t.Errorf("server name %q", name)
	}
	if err := <-ended; err != nil {
		t.Errorf("the right one: %v", err)
	}
}

func TestACodecThatRTMPCantCarryIsUnsupported(t *testing.T) {
	p := relaytest.NewProgram(t, 1000)
	p.SetTracks(media.Tracks{{Codec: media.CodecUnknown}})
	sub, err := p.Hub.Subscribe("program")
	if err != nil {
		t.Fatal(err)
	}
	err = rtmp.New(nil).Push(t.Context(), &url.URL{Scheme: "rtmp", Host: "127.0.0.1:1", Path: "/app"}, sub, relay.NewLink(nil))
	if !errors.Is(err, relay.ErrUnsupported) {
		t.Fatalf("err = %v", err)
	}
}
