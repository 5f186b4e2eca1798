// Package e2e runs the built binary with real cameras (ffmpeg), a real destination
// (nginx-rtmp), a real OBS and a real browser.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"obvan/control"
	"obvan/internal/testkit"
)

const token = "e2e-token-of-the-admin"

// built is the server under test: the one make built, else one built here.
var built = sync.OnceValues(func() (string, error) {
	if path, err := filepath.Abs("../bin/obvan"); err == nil && os.Getenv("OBVAN_E2E") != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "obvan-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "obvan")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/obvan").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// studio is a running server.
type studio struct {
	t      testing.TB
	cmd    *exec.Cmd
	data   string
	listen map[string]string // by flag name
	log    *syncBuffer
	ended  chan struct{}
}

// start runs the server with its own data directory and free ports.
func start(t testing.TB, flags ...string) *studio {
	t.Helper()
	return startIn(t, t.TempDir(), flags...)
}

func startIn(t testing.TB, data string, flags ...string) *studio {
	t.Helper()
	return startWith(t, nil, data, flags...)
}

// startWith adds to the server's environment: "NAME=value" each.
func startWith(t testing.TB, env []string, data string, flags ...string) *studio {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-http", "127.0.0.1:0", "-rtmp", "127.0.0.1:0", "-rtsp", "127.0.0.1:0", "-webrtc", "127.0.0.1:0",
		"-play-rtsp", "127.0.0.1:0", "-play-rtmp", "127.0.0.1:0",
		"-data", data, "-token", token, "-log", "json"}, flags...)
	s := &studio{t: t, cmd: exec.Command(path, args...), data: data, log: &syncBuffer{}, ended: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stderr = s.log
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	go func() {
		io.Copy(io.Discard, stdout)
		s.cmd.Wait()
		close(s.ended)
	}()
	var first struct{ Listening map[string]string }
	if err == nil {
		err = json.Unmarshal(line, &first)
	}
	if err != nil {
		t.Fatalf("the server did not start: %v\n%s", err, s.log)
	}
	s.listen = first.Listening
	return s
}

// stop ends the server as a service manager does, and fails the test when that
// takes longer than the promised five seconds.
func (s *studio) stop() {
	s.t.Helper()
	select {
	case <-s.ended:
		return
	default:
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(8 * time.Second):
		s.cmd.Process.Signal(syscall.SIGQUIT)
		<-s.ended
		s.t.Errorf("the server did not end within 8 s of SIGTERM:\n%s", s.log)
	}
	if s.t.Failed() {
		s.t.Logf("server log:\n%s", s.log.tail(12000))
	}
	if log := s.log.String(); strings.Contains(log, "DATA RACE") || strings.Contains(log, "panic:") {
		s.t.Errorf("the server's log:\n%s", s.log.tail(12000))
	}
}

func (s *studio) url(path string) string { return "http://" + s.listen["http"] + path }

// request asks the server as an admin; a POST is one of JSON.
func (s *studio) request(method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequest(method, s.url(path), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if method == "POST" {
		req.Header.Set("Content-Type", "application/json")
	}
	return http.DefaultClient.Do(req)
}

// try runs a command and returns its result or its error.
func (s *studio) try(command string, args any) (json.RawMessage, error) {
	body, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	resp, err := s.request("POST", "/api/v1/"+command, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Result json.RawMessage
		Error  *struct{ Code, Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", command, resp.Status, err)
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("%s: %s: %s: %s", command, resp.Status, answer.Error.Code, answer.Error.Message)
	}
	return answer.Result, nil
}

// do runs a command that must work.
func (s *studio) do(command string, args any) json.RawMessage {
	s.t.Helper()
	result, err := s.try(command, args)
	if err != nil {
		s.t.Fatal(err)
	}
	return result
}

func (s *studio) get(path string) ([]byte, int) {
	s.t.Helper()
	resp, err := s.request("GET", path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return body, resp.StatusCode
}

func (s *studio) state() control.State {
	s.t.Helper()
	body, code := s.get("/api/v1/state")
	var answer struct{ Sections control.State }
	if err := json.Unmarshal(body, &answer); err != nil || code != 200 {
		s.t.Fatalf("state: %d %v %s", code, err, body)
	}
	return answer.Sections
}

// await waits until the state is as wanted.
func (s *studio) await(within time.Duration, what string, fact func(control.State) bool) control.State {
	s.t.Helper()
	var last control.State
	defer func() {
		if s.t.Failed() {
			text, _ := json.MarshalIndent(last, "", "  ")
			s.t.Logf("state: %s", text)
		}
	}()
	testkit.Eventually(s.t, within, func() bool { last = s.state(); return fact(last) }, "%s", what)
	return last
}

// live waits for feeds to be live.
func (s *studio) live(within time.Duration, feeds ...string) {
	s.t.Helper()
	s.await(within, fmt.Sprintf("feeds %v live", feeds), func(st control.State) bool {
		n := 0
		for _, f := range st.Feeds {
			for _, want := range feeds {
				if f.ID == want && f.State == "live" {
					n++
				}
			}
		}
		return n == len(feeds)
	})
}

// cut puts source on air and waits for the confirmation.
func (s *studio) cut(source string) time.Duration {
	s.t.Helper()
	began := time.Now()
	s.do("mixer.cut", map[string]any{"source": source})
	s.await(15*time.Second, source+" on air", func(st control.State) bool {
		return st.Program.OnAir == source && st.Mixer.Program == source && st.Mixer.Pending == ""
	})
	return time.Since(began)
}

// rss is the server's resident memory in bytes.
func (s *studio) rss() int64 {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var size, resident int64
	fmt.Sscan(string(text), &size, &resident)
	return resident * int64(os.Getpagesize())
}

// syncBuffer keeps what the server logs.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *syncBuffer) tail(n int) string {
	text := b.String()
	return text[max(0, len(text)-n):]
}

// cpu is the processor time the server has used.
func (s *studio) cpu() time.Duration {
	s.t.Helper()
	used, err := cpuOf(s.cmd.Process.Pid)
	if err != nil {
		s.t.Fatal(err)
	}
	return used
}

func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// Behind the name in parentheses: utime and stime are fields 14 and 15, in
	// hundredths of a second on every Linux (proc(5)).
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		var n int64
		fmt.Sscan(f, &n)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
