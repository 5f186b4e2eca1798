package rtsp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/ingesttest"
	"obvan/ingest/rtsp"
	"obvan/internal/testkit"
)

// serve runs a server that admits everyone.
func serve(t testing.TB) (addr string, h *hub.Hub) {
	t.Helper()
	return serveWith(t, func(ingest.Request) error { return nil })
}

func serveWith(t testing.TB, authorise ingest.Authorise) (addr string, h *hub.Hub) {
	t.Helper()
	h = hub.New()
	srv, err := rtsp.Listen(&url.URL{Scheme: "rtsp", Host: "127.0.0.1:0"}, ingest.Env{
		Hub: h, Authorise: authorise, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return srv.Addr(), h
}

const video = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" +
	"a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LADNoFBn58RAAAAwAEAAADAMg8UKqA,aM4PyA==\r\na=control:streamid=0\r\n"

// request is one request; @@ stands for the server's address.
func request(method, path, body string, headers ...string) string {
	text := method + " rtsp://@@" + path + " RTSP/1.0\r\nCSeq: 1\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	if body != "" {
		text += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n", len(body))
	}
	return text + "\r\n" + body
}

const (
	overTCP = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1;mode=record"
	overUDP = "Transport: RTP/AVP;unicast;client_port=%d-%d;mode=record"
)

// exchange sends text and returns the status codes of the responses until the server
// closed the connection, or until the expected ones arrived and no more for a while.
func exchange(t *testing.T, addr, text, want string, closes bool) (codes string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.ReplaceAll(text, "@@", addr))); err != nil {
		return "", true
	}
	wait := testkit.Allow(5 * time.Second)
	for lines := bufio.NewReader(conn); ; {
		if codes == want && !closes {
			wait = 300 * time.Millisecond
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		line, err := lines.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, "RTSP/1.0 "); ok {
			codes = strings.TrimSpace(codes + " " + rest[:min(len(rest), 3)])
		}
		if err != nil {
			return codes, !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// hostile is what a client sends, and what it gets.
type hostile struct {
	name, text string
	codes      string // of all responses
	closed     bool   // the server closes the connection
}

func hostileClients() []hostile {
	announce := request("ANNOUNCE", "/evil", video)
	setup := request("SETUP", "/evil/streamid=0", "", overTCP)
	record := request("RECORD", "/evil", "")
	return []hostile{
		{"double SETUP", announce + setup + setup, "200 200 400", true},
		{"UDP port 65536", announce + request("SETUP", "/evil/streamid=0", "", fmt.Sprintf(overUDP, 65536, 65537)), "200 461", true},
		{"UDP without ports", announce + request("SETUP", "/evil/streamid=0", "", "Transport: RTP/AVP;unicast;mode=record"), "200 400", true},
		{"multicast", announce + request("SETUP", "/evil/streamid=0", "", "Transport: RTP/AVP;multicast;mode=record"), "200 461", false},
		{"a secure profile without TLS", announce + request("SETUP", "/evil/streamid=0", "", "Transport: RTP/SAVP/TCP;unicast;interleaved=0-1;mode=record"), "200 461", false},
		{"RECORD without a session", announce + record, "200 501", false},
		{"RECORD of another session", announce + setup + strings.Replace(record, "\r\n\r\n", "\r\nSession: none\r\n\r\n", 1), "200 200 400", true},
		{"two ANNOUNCEs", announce + announce, "200 400", true},
		{"SETUP without ANNOUNCE", request("SETUP", "/evil/trackID=0", "", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"), "404", true},
		{"DESCRIBE", request("DESCRIBE", "/evil", ""), "501", false},
		{"an unknown method", request("PEEK", "/evil", ""), "", true},
		{"an unknown method that begins like a known one", request("REPLAY", "/evil", ""), "501", false},
		{"no CSeq", "OPTIONS rtsp://@@/ RTSP/1.0\r\n\r\n", "400", true},
		{"a star for a path", "ANNOUNCE * RTSP/1.0\r\nCSeq: 1\r\n\r\n", "400", true},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "", true},
		{"a header that does not end", "OPTIONS rtsp://@@/ RTSP/1.0\r\nCSeq: 1\r\nX: " + strings.Repeat("x", 1<<20), "", true},
		{"too many headers", "OPTIONS rtsp://@@/ RTSP/1.0\r\nCSeq: 1\r\n" + strings.Repeat("X: y\r\n", 10000), "", true},
		{"a body that is too long", "ANNOUNCE rtsp://@@/evil RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999999999\r\n\r\n", "", true},
		{"an interleaved frame before SETUP", "$\x00\x00\x04abcd", "", true},
		{"an invalid session description", request("ANNOUNCE", "/evil", "rubbish\r\n"), "400", true},
		{"a session description without tracks", request("ANNOUNCE", "/evil", "v=0\r\ns=x\r\nt=0 0\r\n"), "400", true},
		{"nine tracks", request("ANNOUNCE", "/evil", video+strings.Repeat("m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n", 8)), "400", true},
		{"AAC sizes of 17 bits", request("ANNOUNCE", "/evil", "v=0\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/48000/2\r\na=fmtp:97 mode=AAC-hbr; sizelength=17; config=1190\r\n"), "415", true},
		{"an unsupported codec", request("ANNOUNCE", "/evil", "v=0\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n"), "415", true},
		{"a path with a path in it", request("ANNOUNCE", "/live/a/b", video), "404", true},
		{"no path", request("ANNOUNCE", "/", video), "404", true},
		{"the program", request("ANNOUNCE", "/program", video), "404", true},
		{"a session of another client", announce + request("SETUP", "/evil/streamid=0", "", overTCP, "Session: 0123456789"), "200 400", true},
	}
}

func TestAHostileClientDoesNotDisturbTheOthers(t *testing.T) {
	t.Parallel()
	addr, h := serve(t)
	good, err := publisher("rtsp", gortsplib.TransportTCP)(t.Context(), ingesttest.Publication{Addr: addr, Stream: "good", Tracks: ingesttest.Tracks()})
	if err != nil {
		t.Fatal(err)
	}
	defer good.Leave()
	units := ingesttest.Units(ingesttest.Tracks(), 500)
	sent := 0
	for i, tc := range hostileClients() {
		t.Run(tc.name, func(t *testing.T) {
			got, closed := exchange(t, addr, tc.text, tc.codes, tc.closed)
			if got != tc.codes || (tc.closed && !closed) {
				t.Errorf("responses %q, closed %v", got, closed)
			}
			if _, ok := h.Stream("evil"); ok {
				t.Error("its stream is in the hub")
			}
			for range 5 {
				if err := good.Send(units[sent]); err != nil {
					t.Fatalf("the good camera was disturbed after case %d: %v", i, err)
				}
				sent++
			}
		})
	}
	testkit.Eventually(t, 3*time.Second, func() bool {
		st, ok := h.Stream("good")
		return ok && int(st.Frames+st.AudioFrames) == sent
	}, "not all of the good camera's %d units arrived", sent)
}

func TestAUDPPortCanBeUsedByOneSessionOnly(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t)
	first, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ask := request("ANNOUNCE", "/first", video) + request("SETUP", "/first/streamid=0", "", fmt.Sprintf(overUDP, 20000, 20001))
	if _, err := first.Write([]byte(strings.ReplaceAll(ask, "@@", addr))); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(first)
	for n := 0; n < 2 && answers.Scan(); {
		if strings.HasPrefix(answers.Text(), "RTSP/1.0 200") {
			n++
		}
	}
	const want = "200 461"
	if got, _ := exchange(t, addr, strings.ReplaceAll(ask, "/first", "/second"), want, false); got != want {
		t.Fatalf("answers %q", got)
	}
}

// recording is a connection on which stream is being recorded.
func recording(t *testing.T, addr, stream, transport string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
	answers := bufio.NewReader(conn)
	session := ""
	for _, text := range []string{
		request("ANNOUNCE", "/"+stream, video), request("SETUP", "/"+stream+"/streamid=0", "", transport), request("RECORD", "/"+stream, "", "Session: @session"),
	} {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "@@", addr), "@session", session)
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		for {
			line, err := answers.ReadString('\n')
			if err != nil {
				t.Fatalf("%s: %v", strings.SplitN(text, "\n", 2)[0], err)
			}
			if id, ok := strings.CutPrefix(line, "Session: "); ok {
				session, _, _ = strings.Cut(strings.TrimSpace(id), ";")
			}
			if strings.TrimSpace(line) == "" {
				break
			}
		}
	}
	return conn
}

func TestASessionOverUDPThatNeverSendsFreesItsName(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the peer timeout")
	}
	addr, h := serve(t)
	conn := recording(t, addr, "half", fmt.Sprintf(overUDP, 20002, 20003))
	defer conn.Close()
	testkit.Eventually(t, ingest.PeerTimeout+2*time.Second, func() bool {
		_, taken := h.Stream("half")
		return !taken
	}, "the name is still taken")
}

func TestRTCPAndRequestsWithoutMediaDoNotKeepAName(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the peer timeout")
	}
	addr, h := serve(t)
	conn := recording(t, addr, "chatty", overTCP)
	defer conn.Close()
	if _, ok := h.Stream("chatty"); !ok {
		t.Fatal("it is not in the hub")
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	_ = conn.SetDeadline(time.Time{})
	for from := time.Now(); ; <-tick.C {
		if _, taken := h.Stream("chatty"); !taken {
			return
		}
		if time.Since(from) > testkit.Allow(ingest.PeerTimeout) {
			t.Fatal("the name is still taken")
		}
		// RTCP and requests, but no media.
		_, _ = conn.Write([]byte("$\x01\x00\x08\x80\xc9\x00\x01\x00\x00\x00\x01" + strings.ReplaceAll(request("OPTIONS", "/chatty", ""), "@@", addr)))
	}
}

func FuzzRequests(f *testing.F) {
	announce := request("ANNOUNCE", "/evil", video)
	f.Add([]byte(announce + request("SETUP", "/evil/streamid=0", "", overTCP) + request("RECORD", "/evil", "")))
	f.Add([]byte(announce + request("SETUP", "/evil/streamid=0", "", fmt.Sprintf(overUDP, 40000, 40001)) + request("TEARDOWN", "/evil", "")))
	f.Add([]byte(request("DESCRIBE", "/evil", "") + request("PLAY", "/evil", "") + request("PAUSE", "/evil", "")))
	addr, _ := serve(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// The server responds to what it understands and closes: there is nothing to wait for.
		_ = conn.SetDeadline(time.Now().Add(testkit.Allow(time.Second)))
		_, _ = conn.Write(data)
		_ = conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the server does not close the connection")
		}
	})
}

func FuzzInterleaved(f *testing.F) {
	f.Add([]byte("$\x00\x00\x11\x80\xe0\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x65\x88\x80\x10\x00"))
	f.Add([]byte("$\x01\x00\x1c\x80\xc8\x00\x06\x00\x00\x00\x01AAAABBBBCCCC\x00\x00\x00\x01\x00\x00\x00\x01"))
	addr, h := serve(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		conn := recording(t, addr, "fuzz", overTCP)
		_, _ = conn.Write(data)
		conn.Close()
		testkit.Eventually(t, 2*time.Second, func() bool {
			_, taken := h.Stream("fuzz")
			return !taken
		}, "the name is still taken")
	})
}
