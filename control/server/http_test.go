package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"obvan/control"
	"obvan/control/auth"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/netaddr"
	"obvan/mixer"
)

// ask sends a request with the admin's token, unless header says otherwise.
func (h *house) ask(t testing.TB, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+studiotest.AdminToken)
	for i := 0; i < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func TestCommandsArePosted(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"mixer.cut", `{"source":"cam1"}`, 200, `{"result":null}`},
		{"show.live", ``, 200, `{"result":{"started":[]}}`},
		{"mixer.cut", `{"source":"cam9"}`, 404, `{"error":{"code":"not_found","message":"cam9: the mixer has no such source"}}`},
		{"mixer.take", `{}`, 409, `"code":"conflict"`},
		{"mixer.cut", `{"source":1}`, 400, `{"error":{"code":"bad_request","message":"the argument source must be a string, not a number"}}`},
		{"mixer.explode", `{}`, 404, `"code":"not_found"`},
		{"mixer.cut/x", `{}`, 404, `"code":"not_found"`},
		{"mixer.cut", strings.Repeat("x", maxBody+1), 400, "the body is too long"},
		{"mixer.cut", strings.Repeat("[", maxBody), 400, "not JSON"},
		{"token.list", ``, 200, `{"result":[]}`},
	} {
		status, body, header := h.ask(t, "POST", "/api/v1/"+c.path, c.body)
		if status != c.status || !strings.Contains(body, c.want) || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %.40s: %d %s", c.path, c.body, status, body)
		}
	}
}

func TestAFloodOfPostedCommandsLimitsItsOwnTokenOnly(t *testing.T) {
	h := open(t)
	other := "Bearer " + h.Do(t, "token.create", `{"name":"Anna","role":"operator"}`).(studio.TokenCreated).Token
	for range 100 { // as many as would take three minutes
		h.Access().CommandLimit(auth.Automation).ReserveN(time.Now(), auth.CommandsBurst)
	}
	status, body, header := h.ask(t, "POST", "/api/v1/mixer.cut", `{"source":"cam1"}`)
	want := `{"error":{"code":"too_many","message":"more than 100 commands a second: too many requests; slow down"}}`
	if status != 429 || strings.TrimSpace(body) != want || header.Get("Retry-After") == "" {
		t.Errorf("%d %s, Retry-After %q", status, body, header.Get("Retry-After"))
	}
	if status, body, _ := h.ask(t, "POST", "/api/v1/mixer.cut", `{"source":"cam1"}`, "Authorization", other); status != 200 {
		t.Errorf("another token: %d %s", status, body)
	}
	if status, _, _ := h.ask(t, "GET", "/api/v1/state", ""); status != 200 {
		t.Errorf("the state: %d", status)
	}
}

func TestEveryRequestNeedsAToken(t *testing.T) {
	h := open(t)
	h.Do(t, "token.create", `{"name":"V","role":"viewer"}`)
	for _, c := range []struct{ method, path string }{
		{"POST", "/api/v1/mixer.cut"}, {"GET", "/api/v1/state"}, {"GET", "/api/v1/me"}, {"GET", "/api/v1/commands"}, {"GET", "/api/v1/clock/cam1"},
		{"GET", "/api/v1/platforms"}, {"POST", "/whep/cam1"}, {"GET", "/debug/pprof/"}, {"GET", "/debug/pprof/heap"}, {"GET", "/ws"},
	} {
		for _, authorization := range []string{"", "Bearer nonsense", "Basic " + studiotest.AdminToken, "Bearer " + strings.Repeat("a", 1000)} {
			status, body, _ := h.ask(t, c.method, c.path+"?token="+strings.Repeat("x", 9), "", "Authorization", authorization)
			if status != 401 && status != 429 {
				t.Errorf("%s %s with %.20q: %d %s", c.method, c.path, authorization, status, body)
			}
		}
		if c.path != "/ws" {
			if status, _, _ := h.ask(t, c.method, c.path+"?token="+studiotest.AdminToken, "", "Authorization", ""); status != 401 && status != 429 {
				t.Errorf("%s took the token from the address: %d", c.path, status)
			}
		}
	}
	if status, _, _ := h.ask(t, "GET", "/api/v1/me", ""); status != 200 {
		t.Errorf("the right token: %d", status)
	}
}

func TestAViewerMayReadTheStateButNotProfile(t *testing.T) {
	h := open(t)
	viewer := "Bearer " + h.Do(t, "token.create", `{"name":"V","role":"viewer"}`).(studio.TokenCreated).Token
	for path, want := range map[string]int{"/api/v1/state": 200, "/debug/pprof/": 403, "/metrics": 200, "/api/v1/clock/cam1": 200, "/api/v1/clock/cam2": 404} {
		if status, body, _ := h.ask(t, "GET", path, "", "Authorization", viewer); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body, _ := h.ask(t, "POST", "/api/v1/mixer.cut", `{"source":"cam1"}`, "Authorization", viewer); status != 403 || !strings.Contains(body, `"forbidden"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := h.ask(t, "POST", "/whep/cam1", "offer", "Authorization", viewer); status != 201 {
		t.Errorf("whep: %d", status)
	}
	if status, _, _ := h.ask(t, "GET", "/debug/pprof/cmdline", ""); status != 404 {
		t.Errorf("the command line is shown: %d", status)
	}
}

func TestTheLoginCookieIsUselessToPagesOfOtherSites(t *testing.T) {
	h := open(t)
	status, body, header := h.ask(t, "POST", "/api/v1/login", `{"token":"`+studiotest.AdminToken+`"}`, "Authorization", "")
	if status != 200 || !strings.Contains(body, `{"name":"automation","role":"admin"}`) {
		t.Fatalf("%d %s", status, body)
	}
	set := header.Get("Set-Cookie")
	for _, want := range []string{"obvan=", "HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(set, want) {
			t.Errorf("no %s in %s", want, set)
		}
	}
	value, _, _ := strings.Cut(set, ";")
	if status, body, _ := h.ask(t, "GET", "/api/v1/me", "", "Authorization", "", "Cookie", value); status != 200 || !strings.Contains(body, "automation") {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := h.ask(t, "POST", "/api/v1/mixer.cut", `{"source":"cam1"}`, "Authorization", "", "Cookie", value, "Origin", "https://evil.example"); status != 403 {
		t.Errorf("a page of another site cut: %d", status)
	}
	if status, _, _ := h.ask(t, "POST", "/api/v1/mixer.cut", `{"source":"cam1"}`, "Authorization", "", "Cookie", value, "Origin", h.url); status != 200 {
		t.Errorf("our own page: %d", status)
	}
	if status, _, _ := h.ask(t, "POST", "/api/v1/login", `{"token":"wrong"}`, "Authorization", ""); status != 401 {
		t.Errorf("a wrong token: %d", status)
	}
}

func TestTheStateIsCompleteAndNamesTheCaller(t *testing.T) {
	h := open(t)
	h.MixerChanged(mixer.State{Kind: "cut", Connected: true, Program: "cam1", OnAir: []string{"cam1"}, OnPreview: []string{"cam2"}})
	_, body, _ := h.ask(t, "GET", "/api/v1/state", "")
	var got struct {
		Rev      uint64
		Sections control.State
		You      control.You
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	st := got.Sections
	if got.Rev == 0 || st.Mixer.Program != "cam1" || st.Tally["cam1"] != control.LightProgram || st.Tally["cam2"] != control.LightPreview || got.You.Role != control.Admin {
		t.Fatalf("%+v", got)
	}
}

func TestPagesAreServedAndNoOtherFiles(t *testing.T) {
	h := open(t)
	for path, want := range map[string]string{
		"/": "panel", "/tally": "tally", "/tally/cam1": "tally", "/tally.html": "tally", "/assets/app.1.js": "1",
		"/assets/": "404", "/assets": "404", "/nothing": "404", "/..%2f..%2fetc/passwd": "404", "/%2e%2e/%2e%2e/etc/passwd": "404", "/assets/..%5c..%5cgo.mod": "404",
		"/tally/../../etc/passwd": "404", "/index.html/x": "404", "/%00": "404",
	} {
		status, body, header := h.ask(t, "GET", path, "", "Authorization", "")
		if want == "404" && status != 404 && status != 400 || want != "404" && (status != 200 || !strings.Contains(body, want)) {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if csp := header.Get("Content-Security-Policy"); status == 200 && (!strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "ws://127.0.0.1:")) {
			t.Errorf("%s: %s", path, csp)
		}
	}
	if _, _, header := h.ask(t, "GET", "/assets/app.1.js", ""); !strings.Contains(header.Get("Cache-Control"), "immutable") {
		t.Error("assets are not cached")
	}
}

func TestHealthReadinessAndTheCommandTableAreServed(t *testing.T) {
	h := build(t, studio.Options{Token: studiotest.AdminToken, MixerURL: "cut"}, studiotest.Quiet())
	h.server.cfg.Platforms = []string{"youtube"}
	stop := h.start(t)
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok", "/api/v1/platforms": "youtube", "/api/v1/state": `"mixerUrl":"cut"`, "/api/v1/commands": `"name":"mixer.cut","role":"operator"`} {
		if status, body, _ := h.ask(t, "GET", path, ""); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	stop()
	if h.Ready() {
		t.Error("it is ready after it ended")
	}
}

func TestMetricsCountStreamsAndDestinations(t *testing.T) {
	h := open(t)
	p, err := h.Hub.Publish("cam1", hub.Origin{Proto: "test", Corrections: func() map[string]uint64 { return map[string]uint64{"jumps": 3} }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	h.Do(t, "destination.add", `{"id":"yt","name":"Y\"T","url":"rtmp://h.example/app","key":"k3y-planted"}`)
	status, body, _ := h.ask(t, "GET", "/metrics", "", "Authorization", "")
	if status != 200 {
		t.Fatalf("from this machine: %d", status)
	}
	for _, want := range []string{
		`obvan_stream_bytes_total{stream="cam1"} 0`, `obvan_destination_state{destination="yt",state="off"} 1`,
		`obvan_show_live 0`, `obvan_program_level{level="none"}`, `go_goroutines`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	if status, _, _ := h.ask(t, "GET", "/metrics", "", "Authorization", "", "X-Forwarded-For", "1.2.3.4"); status != 401 {
		t.Errorf("a proxy's client: %d", status)
	}
}

func TestTURNServersAreSentOnlyToClientsThatMayUseThem(t *testing.T) {
	h := open(t)
	h.server.cfg.ICE = func() []string {
		return []string{`<turn:t.example>; rel="ice-server"; username="u"; credential="hush"`}
	}
	h.server.cfg.Whip = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h.Do(t, "feed.add", `{"id":"phone","name":"Phone","key":"sesame-1"}`)
	for _, c := range []struct {
		path, key string
		named     bool
	}{
		{"/whep/", studiotest.AdminToken, true}, {"/whep/cam1", "wrong", false},
		{"/whip/phone", "sesame-1", true}, {"/whip/phone", "wrong", false}, {"/whip/phone", "", false},
	} {
		_, _, header := h.ask(t, "OPTIONS", c.path, "", "Authorization", "Bearer "+c.key)
		if named := strings.Contains(header.Get("Link"), "turn:t.example"); named != c.named {
			t.Errorf("%s with %q: Link %q", c.path, c.key, header.Get("Link"))
		}
	}
}

func TestAPageWhoseNameResolvesToThisMachineDoesNotHaveItsRights(t *testing.T) {
	for host, here := range map[string]bool{
		"localhost:8080": true, "localhost": true, "127.0.0.1:8080": true, "127.0.0.1": true, "[::1]:8080": true, "[::1]": true,
		"evil.example:8080": false, "evil.example": false, "localhost.evil.example": false, "192.0.2.7:8080": false, "": false, "[": false,
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:5000", host
		if got := netaddr.Loopback(clientAddr(r)); got != here {
			t.Errorf("%q has the rights of this machine: %v", host, got)
		}
	}
}

func TestARequestThroughAProxyDoesNotCountAsLocal(t *testing.T) {
	h := open(t)
	h.server.cfg.Whip = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.Authorise(ingest.Request{Stream: "stray", Proto: "whip", Remote: r.RemoteAddr}) != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	for _, c := range []struct {
		header, value string
		want          int
	}{
		{"X-Other", "1", 200}, {"X-Forwarded-For", "192.0.2.7", 401}, {"X-Forwarded-For", "192.0.2.7, 127.0.0.1", 401},
		{"X-Forwarded-For", "127.0.0.1, 2001:db8::7", 401}, {"X-Forwarded-For", "unknown", 401}, {"Forwarded", "for=127.0.0.1", 401},
	} {
		for _, path := range []string{"/whip/stray", "/api/v1/camera/stray"} {
			method := "POST"
			if strings.HasPrefix(path, "/api/") {
				if method = "GET"; c.want == 200 {
					continue // it has no end
				}
			}
			if status, _, _ := h.ask(t, method, path, "", "Authorization", "", c.header, c.value); status != c.want {
				t.Errorf("%s with %s: %s: %d, want %d", path, c.header, c.value, status, c.want)
			}
		}
	}
}

// askedFrom is a monitor that only tells who asks it.
type askedFrom struct{ studiotest.Monitor }

func (askedFrom) ServeViewer(w http.ResponseWriter, r *http.Request, who string) {
	io.WriteString(w, who+" from "+r.RemoteAddr)
}

func TestViewersBehindAProxyAreCountedByTheirOwnAddresses(t *testing.T) {
	h := build(t, studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
	h.server.cfg.Monitor = askedFrom{}
	h.start(t)
	if _, body, _ := h.ask(t, "POST", "/whep/cam1", "offer", "X-Forwarded-For", "192.0.2.7"); body != "automation from 192.0.2.7:0" {
		t.Errorf("by a proxy: %s", body)
	}
	if _, body, _ := h.ask(t, "POST", "/whep/cam1", "offer"); !strings.HasPrefix(body, "automation from 127.0.0.1:") {
		t.Errorf("from here: %s", body)
	}
}

func TestTheLoginLinkHasTheFirstTokenInItsFragment(t *testing.T) {
	h := build(t, studio.Options{}, studiotest.Quiet())
	token := h.FirstToken()
	if link := h.server.LoginLink("127.0.0.1:8080", token); token == "" || link != "http://127.0.0.1:8080/#token="+token {
		t.Errorf("link = %s", link)
	}
	if link := h.server.LoginLink("h:1", ""); link != "http://h:1/" {
		t.Errorf("without a token: %s", link)
	}
	h.server.cfg.Secure = true
	if link := h.server.LoginLink("h:1", ""); link != "https://h:1/" {
		t.Errorf("over https: %s", link)
	}
}
