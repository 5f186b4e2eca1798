package server

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/mixer"
	"obvan/mixer/program"
)

// phone opens the stream of a feed's light.
func (h *house) phone(t *testing.T, feed, key string) (next func() CameraLight, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", h.url+"/api/v1/camera/"+feed, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	return func() (l CameraLight) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the light ended: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		return l
	}, resp.StatusCode
}

func TestAPhoneSeesItsTallyWithTheFeedsKeyOnly(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.Do(t, "feed.add", `{"id":"phone","name":"Anna's phone","key":"sesame-1"}`)
	for key, want := range map[string]int{"": 401, "wrong": 401, "sesame-1": 200} {
		if _, status := h.phone(t, "phone", key); status != want {
			t.Errorf("with %q: %d, want %d", key, status, want)
		}
	}
	if _, status := h.phone(t, "program", "sesame-1"); status != 400 {
		t.Errorf("the program's light: %d", status)
	}
	h.MixerChanged(mixer.State{Connected: true})
	next, _ := h.phone(t, "phone", "sesame-1")
	if l := next(); l.Name != "Anna's phone" || l.Tally != "" {
		t.Errorf("at first: %+v", l)
	}
	for _, light := range []control.Light{control.LightPreview, control.LightProgram, ""} {
		h.Store().Update(func(st *control.State) {
			st.Tally = map[string]control.Light{"phone": light, "other": control.LightBoth}
		})
		for l := next(); l.Tally != light; l = next() { // a beat may come between
		}
	}
	if l := next(); l.Tally != "" || l.Unknown { // no change: it comes as a sign of life
		t.Errorf("the beat: %+v", l)
	}
	h.MixerChanged(mixer.State{}) // OBS is away, and may go on showing this camera
	for l := next(); !l.Unknown; l = next() {
	}
	h.ProgramChanged(program.State{Level: program.LevelBackup, OnAir: "phone"})
	for l := next(); l.Unknown || l.Tally != control.LightProgram; l = next() { // what we show we know
	}
}

func TestATallyStreamEndsWithTheServer(t *testing.T) {
	h := open(t)
	next, _ := h.phone(t, "cam1", studiotest.AdminToken)
	next()
	h.server.clients.cancel()
	req, _ := http.NewRequest("GET", h.url+"/api/v1/camera/cam1", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
}

func TestQRCodesAreDrawn(t *testing.T) {
	h := open(t)
	viewer := "Bearer " + h.Do(t, "token.create", `{"name":"V","role":"viewer"}`).(studio.TokenCreated).Token
	if status, _, _ := h.ask(t, "GET", "/api/v1/qr?text=a", "", "Authorization", viewer); status != 403 {
		t.Errorf("a viewer: %d", status)
	}
	link := "https://192.168.1.20:8080/camera#feed=cam1&key=abcdefghijklmnopqrstuv"
	for _, c := range []struct{ method, path, body string }{{"POST", "/api/v1/qr", link}, {"GET", "/api/v1/qr?text=hello", ""}} {
		status, body, header := h.ask(t, c.method, c.path, c.body)
		if status != 200 || header.Get("Content-Type") != "image/svg+xml" || xml.Unmarshal([]byte(body), new(struct{})) != nil || !strings.Contains(body, "M4 4h7v1h-7z") {
			t.Errorf("%s: %d %.200s", c.method, status, body) // a finder pattern stands in the corner
		}
	}
	for _, text := range []string{"", strings.Repeat("x", maxQR+1)} {
		if status, _, _ := h.ask(t, "POST", "/api/v1/qr", text); status != 400 {
			t.Errorf("%d bytes: %d", len(text), status)
		}
	}
}
