package rtsp_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"

	"obvan/internal/testkit"
)

// exchange sends raw text, and reads until the server closes the connection or the timeout.
func exchange(t testing.TB, addr string, data []byte, timeout time.Duration) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(timeout))
	_, _ = conn.Write(data)
	var all bytes.Buffer
	_, _ = all.ReadFrom(conn)
	return all.String()
}

// request is the text of a request to the rig; @session stands for the id from the server.
func (r *rig) request(method, path string, headers ...string) string {
	text := method + " rtsp://" + r.addr + path + " RTSP/1.0\r\nCSeq: 1\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	return text + "\r\n"
}

const overTCP = "Transport: RTP/AVP/TCP;unicast;interleaved=%d-%d"

func TestInvalidRequestsDoNotDisturbOtherReaders(t *testing.T) {
	r := start(t)
	f := r.publish(t, "cam1")
	f.write(3)
	r.publish(t, "cam2").write(1)
	good := r.watch(t, "/cam1", gortsplib.TransportTCP)
	in := "Session: @session"
	setup := r.request("SETUP", "/cam1/trackID=0", fmt.Sprintf(overTCP, 0, 1))
	for _, tc := range []struct {
		name     string
		requests []string
		want     string
	}{
		{"PLAY twice", []string{setup, r.request("PLAY", "/cam1", in), r.request("PLAY", "/cam1", in)}, "200 200 200"},
		{"PAUSE", []string{setup, r.request("PLAY", "/cam1", in), r.request("PAUSE", "/cam1", in), r.request("TEARDOWN", "/cam1", in)}, "200 200 501 200"},
		{"PLAY without SETUP", []string{r.request("PLAY", "/cam1", in)}, "454"},
		{"another stream's PLAY", []string{setup, r.request("PLAY", "/cam2", in)}, "200 400"},
		{"another stream's track", []string{setup, r.request("SETUP", "/cam2/trackID=0", fmt.Sprintf(overTCP, 2, 3))}, "200 400"},
		{"a track that does not exist", []string{r.request("SETUP", "/cam1/trackID=7", fmt.Sprintf(overTCP, 0, 1))}, "400"},
		{"a second SETUP of a track", []string{setup, setup}, "200 400"},
		{"RECORD", []string{setup, r.request("RECORD", "/cam1", in)}, "200 501"},
		{"SETUP while playing", []string{setup, r.request("PLAY", "/cam1", in), r.request("SETUP", "/cam1/trackID=1", fmt.Sprintf(overTCP, 2, 3))}, "200 200 400"},
		{"PLAY after TEARDOWN", []string{setup, r.request("TEARDOWN", "/cam1", in), r.request("PLAY", "/cam1", in)}, "200 200 454 or 200 200 400"}, // the session may still be closing
		{"UDP to port 0", []string{r.request("SETUP", "/cam1/trackID=0", "Transport: RTP/AVP;unicast;client_port=0-1")}, "461"},
	} {
		if got := r.statusCodes(t, tc.requests); !slices.Contains(strings.Split(tc.want, " or "), got) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	f.write(10)
	good.waitFor(t, 13)
}

// statusCodes sends requests one after the other, and returns the codes of the responses
// until the server closes the connection.
func (r *rig) statusCodes(t *testing.T, requests []string) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
	var codes []string
	session, in := "none", bufio.NewReader(conn)
	for _, text := range requests {
		if _, err := conn.Write([]byte(strings.ReplaceAll(text, "@session", session))); err != nil {
			break
		}
		for answered := false; ; {
			if b, _ := in.Peek(1); len(b) == 1 && b[0] == '$' { // media
				b, _ = in.Peek(4)
				_, _ = in.Discard(4 + int(b[2])<<8 + int(b[3]))
				continue
			}
			line, err := in.ReadString('\n')
			if code, ok := strings.CutPrefix(line, "RTSP/1.0 "); ok {
				codes, answered = append(codes, code[:3]), true
			}
			if id, ok := strings.CutPrefix(line, "Session: "); ok {
				session, _, _ = strings.Cut(strings.TrimSpace(id), ";")
			}
			if err != nil || (answered && strings.TrimSpace(line) == "") {
				break
			}
		}
	}
	return strings.Join(codes, " ")
}

func FuzzRequests(f *testing.F) {
	r := start(f)
	p := r.publish(f, "cam1")
	p.write(3)
	setup := r.request("SETUP", "/cam1/trackID=0", fmt.Sprintf(overTCP, 0, 1))
	f.Add([]byte(r.request("DESCRIBE", "/cam1") + setup + r.request("PLAY", "/cam1")))
	f.Add([]byte(setup + r.request("SETUP", "/cam1/trackID=1", fmt.Sprintf(overTCP, 2, 3)) + r.request("TEARDOWN", "/cam1")))
	f.Add([]byte(r.request("SETUP", "/cam1/trackID=9", fmt.Sprintf(overTCP, 0, 1)) + r.request("SETUP", "/other/trackID=0", fmt.Sprintf(overTCP, 0, 1))))
	f.Add([]byte(r.request("SETUP", "/cam1/trackID=0", "Transport: RTP/AVP;unicast;client_port=0-0") + r.request("PAUSE", "/cam1") + r.request("RECORD", "/cam1")))
	f.Fuzz(func(t *testing.T, data []byte) { exchange(t, r.addr, data, 20*time.Millisecond) })
}
