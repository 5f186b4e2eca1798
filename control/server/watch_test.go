package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/hub"
	"obvan/ingest/ingesttest"
	"obvan/internal/testkit"
	"obvan/monitor/frames"
)

// stream publishes a stream and keeps it going.
func (h *house) stream(t *testing.T, name string) (stop func()) {
	t.Helper()
	p, err := h.server.cfg.Hub.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks(ingesttest.Tracks())
	for _, au := range ingesttest.Units(ingesttest.Tracks(), 12) {
		p.Write(au)
	}
	return p.Close
}

func (h *house) watch(t *testing.T, stream, token string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	conn, resp, err := websocket.DefaultDialer.Dial(strings.Replace(h.url, "http", "ws", 1)+"/watch/"+stream, header)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
		conn.SetReadDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
	}
	return conn, resp, err
}

func TestEncodedFramesAreSentToViewersWithAToken(t *testing.T) {
	h := open(t)
	stop := h.stream(t, "bcam")
	for path, want := range map[string]int{"bcam": 401, "nothing": 401} {
		if _, resp, err := h.watch(t, path, "wrong"); err == nil || resp.StatusCode != want {
			t.Errorf("%s with a wrong token: %v", path, err)
		}
	}
	if _, resp, err := h.watch(t, "nothing", studiotest.AdminToken); err == nil || resp.StatusCode != 404 {
		t.Errorf("a stream that is not there: %v", err)
	}
	if status, _, _ := h.ask(t, "GET", "/watch/bcam", ""); status != 400 {
		t.Errorf("without a websocket: %d", status)
	}
	token := h.Do(t, "token.create", `{"name":"V","role":"viewer"}`).(studio.TokenCreated).Token
	conn, _, err := h.watch(t, "bcam", token)
	if err != nil {
		t.Fatal(err)
	}
	kind, text, err := conn.ReadMessage()
	var c frames.Codecs
	if err != nil || kind != websocket.TextMessage || json.Unmarshal(text, &c) != nil || c.Video == nil || c.Audio == nil {
		t.Fatalf("%d %s %v", kind, text, err)
	}
	kind, first, err := conn.ReadMessage()
	if err != nil || kind != websocket.BinaryMessage || first[0] != frames.FlagKeyframe || len(first) < frames.HeaderSize+9000 {
		t.Fatalf("%d, %d bytes, %v", kind, len(first), err)
	}
	stop()
	for err == nil {
		_, _, err = conn.ReadMessage()
	}
	if !websocket.IsCloseError(err, websocket.CloseGoingAway) || !strings.Contains(err.Error(), "the stream ended") {
		t.Errorf("it ended with %v", err)
	}
}

func TestFramesEndWithTheTokenOrTheConnection(t *testing.T) {
	h := open(t)
	defer h.stream(t, "bcam")()
	token := h.Do(t, "token.create", `{"name":"V","role":"viewer"}`).(studio.TokenCreated).Token
	theirs, _, err := h.watch(t, "bcam", token)
	if err != nil {
		t.Fatal(err)
	}
	ours, _, err := h.watch(t, "bcam", studiotest.AdminToken)
	if err != nil {
		t.Fatal(err)
	}
	h.Do(t, "token.revoke", `{"name":"V"}`)
	for err == nil {
		_, _, err = theirs.ReadMessage()
	}
	if !websocket.IsCloseError(err, websocket.ClosePolicyViolation) {
		t.Errorf("after the token was revoked: %v", err)
	}
	ours.Close()
	testkit.Eventually(t, 3*time.Second, func() bool {
		h.server.clients.mu.Lock()
		defer h.server.clients.mu.Unlock()
		return len(h.server.clients.watching) == 0
	}, "who left is still counted")
}
