package server

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
)

func TestALogoIsUploadedAndShownWithALowerThird(t *testing.T) {
	h := build(t, studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
	h.start(t)
	var logo bytes.Buffer
	if err := png.Encode(&logo, image.NewGray(image.Rect(0, 0, 32, 16))); err != nil {
		t.Fatal(err)
	}
	h.uploads(t, []upload{
		{"logos/sponsor", "wrong", nil, http.StatusUnauthorized, "a valid token is required"},
		{"logos/sponsor", studiotest.AdminToken, []byte("<svg/>"), http.StatusBadRequest, "not a PNG or JPEG"},
		{"logos/..%2Fx", studiotest.AdminToken, logo.Bytes(), http.StatusBadRequest, "its name must be"},
		{"logos/big", studiotest.AdminToken, make([]byte, 5<<20), http.StatusBadRequest, "larger than 4 MB"},
		{"logos/sponsor", studiotest.AdminToken, logo.Bytes(), http.StatusOK, "null"},
	})
	h.Await(t, "the logo is listed", func(st *control.State) bool { return slices.Equal(st.Graphics.Logos, []string{"sponsor"}) })
	if !h.Logged("uploaded the logo sponsor") {
		t.Errorf("log = %+v", h.Now().Log)
	}
	status, body, header := h.ask(t, "GET", "/api/v1/logos/sponsor.png", "", "Authorization", "Bearer "+studiotest.AdminToken)
	if img, err := png.Decode(strings.NewReader(body)); status != http.StatusOK || err != nil || img.Bounds().Dx() != 32 || header.Get("Content-Type") != "image/png" {
		t.Fatalf("%d %v %v", status, err, header)
	}
	if status, _, _ := h.ask(t, "GET", "/api/v1/logos/sponsor.png", "", "Authorization", "Bearer "+studiotest.AdminToken, "If-Modified-Since", header.Get("Last-Modified")); status != http.StatusNotModified {
		t.Errorf("asked again: %d", status)
	}
	for path, want := range map[string]int{"/api/v1/logos/nobody.png": 404, "/api/v1/logos/sponsor": 404, "/api/v1/logos/..%2Fshow.png": 404} {
		if status, body, _ := h.ask(t, "GET", path, "", "Authorization", "Bearer "+studiotest.AdminToken); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	resp, err := http.Get(h.url + "/api/v1/logos/sponsor.png")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
	h.Fails(t, "graphics.add", `{"text":{"name":"Ada","logo":"nobody"}}`, control.NotFound)
	id := h.Do(t, "graphics.add", `{"text":{"name":"Ada","logo":"sponsor"}}`).(studio.GraphicAdded).ID
	h.Fails(t, "graphics.update", `{"id":"`+id+`","text":{"name":"Ada","logo":"nobody"}}`, control.NotFound)
	h.Fails(t, "logo.remove", `{"name":"../show"}`, control.NotFound)
	h.Do(t, "logo.remove", `{"name":"sponsor"}`)
	h.Await(t, "no logo", func(st *control.State) bool { return len(st.Graphics.Logos) == 0 })
	h.Do(t, "graphics.take", `{"id":"`+id+`"}`) // without it
}
