package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"obvan/control"
	"obvan/internal/testkit"
)

// socket is a websocket as the panel has one: it receives the state at once, and counts
// the answers to each command.
type socket struct {
	t    testing.TB
	conn *websocket.Conn
	send sync.Mutex

	mu       sync.Mutex
	state    control.State
	sections map[string]json.RawMessage
	answers  map[int][]answer
	changed  chan struct{}
}

// answer is the answer to a command: the error's code, "" for done.
type answer struct {
	code, message string
}

func (s *studio) connect() *socket {
	s.t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+s.listen["http"]+"/ws", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		s.t.Fatal(err)
	}
	k := &socket{t: s.t, conn: conn, sections: map[string]json.RawMessage{}, answers: map[int][]answer{}, changed: make(chan struct{})}
	var ended sync.WaitGroup
	ended.Go(k.read)
	s.t.Cleanup(func() { conn.Close(); ended.Wait() })
	return k
}

func (k *socket) read() {
	for {
		var m struct {
			ID     int
			Method string
			Params struct{ Sections map[string]json.RawMessage }
			Error  *struct {
				Message string
				Data    struct{ Code string }
			}
		}
		if k.conn.ReadJSON(&m) != nil {
			return
		}
		k.mu.Lock()
		for name, section := range m.Params.Sections {
			k.sections[name] = section
		}
		if m.Method == "state" {
			k.state = control.State{}
			if whole, err := json.Marshal(k.sections); err == nil {
				_ = json.Unmarshal(whole, &k.state)
			}
		}
		if m.ID != 0 {
			a := answer{}
			if m.Error != nil {
				a = answer{m.Error.Data.Code, m.Error.Message}
			}
			k.answers[m.ID] = append(k.answers[m.ID], a)
		}
		close(k.changed)
		k.changed = make(chan struct{})
		k.mu.Unlock()
	}
}

// ask gives a command and does not wait for its answer.
func (k *socket) ask(id int, method string, args any) {
	k.t.Helper()
	k.send.Lock()
	defer k.send.Unlock()
	if err := k.conn.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": args}); err != nil {
		k.t.Fatal(err)
	}
}

// answered waits for the answer to a command.
func (k *socket) answered(id int) (a answer) {
	k.t.Helper()
	k.until(10*time.Second, fmt.Sprintf("an answer to %d", id), func(*control.State) bool {
		if len(k.answers[id]) > 0 {
			a = k.answers[id][0]
		}
		return len(k.answers[id]) > 0
	})
	return a
}

// until waits until the state is as wanted, and returns when that was received.
func (k *socket) until(within time.Duration, what string, fact func(st *control.State) bool) time.Time {
	k.t.Helper()
	within = testkit.Allow(within)
	deadline := time.After(within)
	for {
		k.mu.Lock()
		ok, changed := fact(&k.state), k.changed
		k.mu.Unlock()
		if ok {
			return time.Now()
		}
		select {
		case <-changed:
		case <-deadline:
			k.mu.Lock()
			text, _ := json.MarshalIndent(k.state, "", " ")
			k.mu.Unlock()
			k.t.Fatalf("not within %v: %s; state: %s", within, what, text)
		}
	}
}
