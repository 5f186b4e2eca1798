package control

import (
	"bytes"
	"image"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestALogoComesInByHTTPAndGoesWithALowerThird(t *testing.T) {
	h := build(t, t.TempDir(), newDesk(), Options{Token: adminToken}, quiet())
	h.start(t)
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 32, 16))); err != nil {
		t.Fatal(err)
	}
	h.uploads(t, []upload{
		{"logos/sponsor", "wrong", nil, http.StatusUnauthorized, "a valid token is needed"},
		{"logos/sponsor", adminToken, []byte("<svg/>"), http.StatusBadRequest, "neither a PNG nor a JPEG"},
		{"logos/..%2Fx", adminToken, picture.Bytes(), http.StatusBadRequest, "its name is"},
		{"logos/big", adminToken, make([]byte, 5<<20), http.StatusBadRequest, "larger than 4 MB"},
		{"logos/sponsor", adminToken, picture.Bytes(), http.StatusOK, "null"},
	})
	h.await(t, "the logo is listed", func(st *State) bool { return slices.Equal(st.Graphics.Logos, []string{"sponsor"}) })
	if !h.logged("brought in the logo sponsor") {
		t.Errorf("log = %+v", h.now().Log)
	}
	status, body, header := h.ask(t, "GET", "/api/v1/logos/sponsor.png", "", "Authorization", "Bearer "+adminToken)
	if img, err := png.Decode(strings.NewReader(body)); status != http.StatusOK || err != nil || img.Bounds().Dx() != 32 || header.Get("Content-Type") != "image/png" {
		t.Fatalf("%d %v %v", status, err, header)
	}
	if status, _, _ := h.ask(t, "GET", "/api/v1/logos/sponsor.png", "", "Authorization", "Bearer "+adminToken, "If-Modified-Since", header.Get("Last-Modified")); status != http.StatusNotModified {
		t.Errorf("asked again: %d", status)
	}
	for path, want := range map[string]int{"/api/v1/logos/nobody.png": 404, "/api/v1/logos/sponsor": 404, "/api/v1/logos/..%2Fshow.png": 404} {
		if status, body, _ := h.ask(t, "GET", path, "", "Authorization", "Bearer "+adminToken); status != want {
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
	h.fails(t, "graphics.add", `{"text":{"name":"Ada","logo":"nobody"}}`, NotFound)
	id := h.do(t, "graphics.add", `{"text":{"name":"Ada","logo":"sponsor"}}`).(GraphicAdded).ID
	h.fails(t, "graphics.update", `{"id":"`+id+`","text":{"name":"Ada","logo":"nobody"}}`, NotFound)
	h.fails(t, "logo.remove", `{"name":"../show"}`, NotFound)
	h.do(t, "logo.remove", `{"name":"sponsor"}`)
	h.await(t, "no logo", func(st *State) bool { return len(st.Graphics.Logos) == 0 })
	h.do(t, "graphics.take", `{"id":"`+id+`"}`) // without it
}
