package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"obvan/control"
	"obvan/control/auth"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/internal/testkit"
	"obvan/mixer"
)

// line is a client's end of a websocket.
type line struct {
	*websocket.Conn
	t     testing.TB
	state map[string]json.RawMessage
	rev   uint64
}

type heard struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Rev      uint64                     `json:"rev"`
		Sections map[string]json.RawMessage `json:"sections"`
		You      *control.You               `json:"you"`
	} `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *rpcError       `json:"error"`
}

// connect opens a websocket and waits for the first state.
func (h *house) connect(t testing.TB, token string) *line {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(h.url, "http")+"/ws", http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		t.Fatalf("%v %+v", err, resp)
	}
	t.Cleanup(func() { conn.Close() })
	l := &line{Conn: conn, t: t, state: map[string]json.RawMessage{}}
	first := l.hear()
	if first.Method != "state" || len(first.Params.Sections) != 11 || first.Params.You == nil {
		t.Fatalf("first = %+v", first)
	}
	return l
}

// hear reads one message, and keeps the state it may be.
func (l *line) hear() (m heard) {
	l.t.Helper()
	l.SetReadDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
	if err := l.ReadJSON(&m); err != nil {
		l.t.Fatal(err)
	}
	for name, s := range m.Params.Sections {
		l.state[name] = s
	}
	l.rev = max(l.rev, m.Params.Rev)
	return m
}

// answer waits for the answer to id.
func (l *line) answer(id string) heard {
	l.t.Helper()
	for {
		if m := l.hear(); string(m.ID) == id {
			return m
		}
	}
}

func (l *line) say(text string) {
	l.t.Helper()
	if err := l.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		l.t.Fatal(err)
	}
}

// closed waits for the server to close, and says why it did.
func (l *line) closed() *websocket.CloseError {
	l.t.Helper()
	l.SetReadDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
	for {
		if _, _, err := l.ReadMessage(); err != nil {
			var why *websocket.CloseError
			if !errors.As(err, &why) {
				l.t.Fatal(err)
			}
			return why
		}
	}
}

func TestAPanelSeesChangesAndGivesCommands(t *testing.T) {
	h := open(t)
	l := h.connect(t, studiotest.AdminToken)
	l.say(`{"jsonrpc":"2.0","id":1,"method":"mixer.cut","params":{"source":"cam2"}}`)
	if m := l.answer("1"); m.Error != nil || string(m.Result) != "null" {
		t.Fatalf("%+v", m)
	}
	h.MixerChanged(mixer.State{Kind: "cut", Connected: true, Program: "cam2", OnAir: []string{"cam2"}})
	for !strings.Contains(string(l.state["tally"]), "cam2") {
		l.hear()
	}
	if !strings.Contains(string(l.state["mixer"]), `"program":"cam2"`) || !strings.Contains(string(l.state["clients"]), `"automation"`) {
		t.Fatalf("state = %s", l.state)
	}
}

func TestAnInvalidRequestIsAnsweredWithAReason(t *testing.T) {
	h := open(t)
	l := h.connect(t, studiotest.AdminToken)
	for _, c := range []struct {
		say, id string
		number  int
		code    control.ErrorCode
	}{
		{`{"jsonrpc":"2.0","id":1,"method":"mixer.explode"}`, "1", rpcUnknown, control.NotFound},
		{`{"jsonrpc":"2.0","id":"a","method":"mixer.cut","params":{"source":5}}`, `"a"`, rpcArgs, control.BadRequest},
		{`{"jsonrpc":"2.0","id":3,"method":"mixer.cut","params":["cam1"]}`, "3", rpcArgs, control.BadRequest},
		{`{"jsonrpc":"2.0","id":4,"method":"mixer.cut","params":{"source":"cam9"}}`, "4", rpcOurs, control.NotFound},
		{`{"jsonrpc":"1.0","id":5,"method":"mixer.cut"}`, "5", rpcInvalid, control.BadRequest},
		{`{"jsonrpc":"2.0","id":6}`, "6", rpcInvalid, control.BadRequest},
		{`{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}`, "null", rpcInvalid, control.BadRequest},
		{`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 500) + `","method":"ping"}`, "null", rpcInvalid, control.BadRequest},
		{`{"jsonrpc":"2.0","id":7,"method":7}`, "7", rpcInvalid, control.BadRequest},
		{`[{"jsonrpc":"2.0","id":8,"method":"ping"}]`, "null", rpcInvalid, control.BadRequest},
		{`hello`, "null", rpcParse, control.BadRequest},
		{strings.Repeat("[", 1000), "null", rpcInvalid, control.BadRequest},
	} {
		l.say(c.say)
		m := l.answer(c.id)
		if m.Error == nil || m.Error.Code != c.number || m.Error.Data.Code != c.code || m.Error.Message == "" {
			t.Errorf("%.60s: %+v", c.say, m.Error)
		}
	}
	l.say(`{"jsonrpc":"2.0","id":9,"method":"ping"}`)
	if m := l.answer("9"); m.Error != nil {
		t.Fatalf("%+v", m.Error)
	}
}

func TestAFloodOfCommandsIsAnsweredThenClosed(t *testing.T) {
	h := open(t)
	flood, other := h.connect(t, studiotest.AdminToken), h.connect(t, studiotest.AdminToken)
	go func() {
		for i := range 5 * auth.CommandsBurst {
			if flood.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"ping"}`, i)) != nil {
				return
			}
		}
	}()
	if why := flood.closed(); why.Code != websocket.ClosePolicyViolation {
		t.Fatal(why)
	}
	other.say(`{"jsonrpc":"2.0","id":1,"method":"mixer.cut","params":{"source":"cam1"}}`)
	if m := other.answer("1"); m.Error != nil {
		t.Fatalf("%+v", m.Error)
	}
}

func TestOneTokenCannotUseAllWebsockets(t *testing.T) {
	h := open(t)
	for i := range maxSocketsPerToken {
		k := &socket{who: control.Caller{You: control.You{Name: "Vi"}}, closing: make(chan struct{})}
		if err := h.server.clients.add(k); err != nil {
			t.Fatalf("socket %d: %v", i, err)
		}
		defer h.server.clients.remove(k)
	}
	if err := h.server.clients.add(&socket{who: control.Caller{You: control.You{Name: "Vi"}}}); !errors.Is(err, control.ErrTooMany) {
		t.Fatalf("one more: %v", err)
	}
	h.connect(t, studiotest.AdminToken)
}

func TestAMessageThatIsTooLongClosesOnlyItsOwnWebsocket(t *testing.T) {
	h := open(t)
	l, other := h.connect(t, studiotest.AdminToken), h.connect(t, studiotest.AdminToken)
	l.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":1,"method":"`+strings.Repeat("a", maxMessage)+`"}`))
	if why := l.closed(); why.Code != websocket.CloseMessageTooBig {
		t.Fatal(why)
	}
	other.say(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	other.answer("1")
}

func TestRevokingATokenClosesItsWebsockets(t *testing.T) {
	h := open(t)
	anna := h.connect(t, h.Do(t, "token.create", `{"name":"Anna","role":"operator"}`).(studio.TokenCreated).Token)
	bob := h.connect(t, h.Do(t, "token.create", `{"name":"Bob","role":"operator"}`).(studio.TokenCreated).Token)
	h.Do(t, "token.revoke", `{"name":"Anna"}`)
	if why := anna.closed(); why.Code != websocket.ClosePolicyViolation || why.Text != "your access was revoked" {
		t.Fatal(why)
	}
	bob.say(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	bob.answer("1")
	testkit.Eventually(t, 5*time.Second, func() bool { return len(h.Now().Clients) == 1 && h.Now().Clients[0].Name == "Bob" }, "only Bob is there")
}

func TestOnlyOurOwnPagesConnect(t *testing.T) {
	h := open(t)
	addr := "ws" + strings.TrimPrefix(h.url, "http") + "/ws"
	for origin, want := range map[string]int{"https://evil.example": 403, "null": 403, h.url: 101, "": 101} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, resp, err := websocket.DefaultDialer.Dial(addr+"?token="+studiotest.AdminToken, header)
		if resp == nil || resp.StatusCode != want {
			t.Errorf("%q: %v %v", origin, resp, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	if _, resp, err := websocket.DefaultDialer.Dial(addr, nil); err == nil || resp.StatusCode != 401 {
		t.Error("no token is needed")
	}
}

func TestAPanelThatDoesNotReadCostsNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it moves a lot of state")
	}
	h := open(t)
	h.Store().Update(studiotest.FullShow)
	const panels = 20
	for range panels {
		h.connect(t, studiotest.AdminToken) // and never reads again
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 400 {
		h.Store().Update(func(st *control.State) {
			for j := range st.Log {
				st.Log[j].Text = fmt.Sprint("something happened on air ", i, j)
			}
		})
		_, _, next := h.Store().Since(0)
		select {
		case <-next:
		case <-time.After(2 * time.Millisecond): // what a flood leaves between two changes
		}
	}
	if grown := int64(heap()) - int64(before); grown > panels*512<<10 {
		t.Fatalf("%d panels that do not read hold %d kB", panels, grown>>10)
	}
}

func TestAHangingMixerDoesNotBlockOtherCommands(t *testing.T) {
	h := open(t)
	h.Fakes.Hang = make(chan struct{})
	l := h.connect(t, studiotest.AdminToken)
	l.say(`{"jsonrpc":"2.0","id":1,"method":"mixer.cut","params":{"source":"cam1"}}`)
	l.say(`{"jsonrpc":"2.0","id":2,"method":"show.end"}`)
	if m := l.answer("2"); m.Error != nil {
		t.Fatalf("%+v", m.Error)
	}
	for i := range maxWaiting + 5 {
		l.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"mixer.preview","params":{"source":"cam1"}}`, 100+i))
	}
	if m := l.answer(fmt.Sprint(100 + maxWaiting + 4)); m.Error == nil || m.Error.Data.Code != control.TooMany {
		t.Fatalf("%+v", m)
	}
	close(h.Fakes.Hang)
	l.answer("1")
}

func TestQueuedCommandsOfAFloodAreDiscarded(t *testing.T) {
	h := open(t)
	h.Fakes.Hang = make(chan struct{})
	l := h.connect(t, studiotest.AdminToken)
	l.say(`{"jsonrpc":"2.0","id":1,"method":"mixer.cut","params":{"source":"cam1"}}`)
	for range 10 {
		l.say(`{"jsonrpc":"2.0","id":2,"method":"mixer.cut","params":{"source":"cam2"}}`)
	}
	for range 2 * auth.CommandsBurst {
		if l.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","id":3,"method":"ping"}`)) != nil {
			break
		}
	}
	if why := l.closed(); why.Code != websocket.ClosePolicyViolation {
		t.Fatal(why)
	}
	close(h.Fakes.Hang)
	testkit.Eventually(t, 5*time.Second, func() bool {
		h.server.clients.mu.Lock()
		defer h.server.clients.mu.Unlock()
		return len(h.server.clients.open) == 0
	}, "the socket has gone")
	if asked := h.Fakes.Asked(); strings.Contains(strings.Join(asked, "\n"), "cam2") {
		t.Fatalf("done in spite of the flood: %v", asked)
	}
}

func TestShuttingDownClosesPanelsEvenWithAHangingMixer(t *testing.T) {
	h := build(t, studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
	h.Fakes.Hang = make(chan struct{})
	stop := h.start(t)
	l := h.connect(t, studiotest.AdminToken)
	l.say(`{"jsonrpc":"2.0","id":1,"method":"mixer.cut","params":{"source":"cam1"}}`)
	began := time.Now()
	stop()
	if took := time.Since(began); took > testkit.Allow(3*time.Second) {
		t.Fatalf("it took %v", took)
	}
}

// BenchmarkPanels is one change of the mixer until each of N panels has it, over real
// sockets.
func BenchmarkPanels(b *testing.B) {
	for _, panels := range []int{1, 50} {
		b.Run(fmt.Sprintf("%d panels", panels), func(b *testing.B) {
			h := open(b)
			h.Store().Update(studiotest.FullShow)
			lines := make([]*line, panels)
			for i := range lines {
				lines[i] = h.connect(b, studiotest.AdminToken)
			}
			for _, l := range lines { // the arrival of each is told to all
				for strings.Count(string(l.state["clients"]), `"kind"`) < panels {
					l.hear()
				}
			}
			pace := time.NewTicker(2 * statePace) // as cuts come: not in a flood
			defer pace.Stop()
			b.ReportAllocs()
			var took time.Duration
			for n := 0; b.Loop(); n++ {
				<-pace.C
				want := fmt.Sprintf(`"program":"cam%d"`, n)
				began := time.Now()
				h.Store().Update(func(st *control.State) { st.Mixer.Program = fmt.Sprint("cam", n) })
				for _, l := range lines {
					for !strings.Contains(string(l.state["mixer"]), want) {
						l.hear()
					}
				}
				took += time.Since(began)
			}
			b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), "ms/all-have-it")
		})
	}
}

func FuzzRequest(f *testing.F) {
	for _, seed := range []string{`{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"id":{}}`, `[]`, `{"id":null}`, "\x00", `{"jsonrpc":"2.0","id":"\u0000","method":"\ud800","params":[[]]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		req, fault := parseRequest(message)
		if fault == nil && req.ID == nil {
			return
		}
		if _, err := json.Marshal(failure{"2.0", req.ID, fault}); err != nil {
			t.Fatalf("%q can't be answered: %v", message, err)
		}
	})
}
