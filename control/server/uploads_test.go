package server

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/ingest/clip"
)

// put uploads a file and returns the status and the answer.
func (h *house) put(t *testing.T, path, token string, content []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", h.url+"/api/v1/"+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}

// upload is an uploaded file, and the answer.
type upload struct {
	path, token string
	content     []byte
	status      int
	says        string
}

func (h *house) uploads(t *testing.T, all []upload) {
	t.Helper()
	for _, u := range all {
		if status, answer := h.put(t, u.path, u.token, u.content); status != u.status || !strings.Contains(answer, u.says) {
			t.Errorf("%s: %d %s", u.path, status, answer)
		}
	}
}

func TestInvalidClipUploadsAreRefusedWithAReason(t *testing.T) {
	t.Setenv("PATH", "") // no ffmpeg
	h := build(t, studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet(), func(d *studio.Deps) { d.Clips = clip.New(t.TempDir()) })
	h.start(t)
	var still bytes.Buffer
	if err := png.Encode(&still, image.NewGray(image.Rect(0, 0, 32, 32))); err != nil {
		t.Fatal(err)
	}
	h.uploads(t, []upload{
		{"clips/slate", "wrong", nil, http.StatusUnauthorized, "a valid token is required"},
		{"clips/slate", studiotest.AdminToken, []byte("hello"), http.StatusBadRequest, "not an MP4, PNG or JPEG"},
		{"clips/..%2Fslate", studiotest.AdminToken, still.Bytes(), http.StatusBadRequest, "a feed name is"},
		{"clips/slate", studiotest.AdminToken, still.Bytes(), http.StatusConflict, "install ffmpeg, or upload an MP4 with H.264 1280x720"},
	})
	if list := h.Do(t, "clip.list", `{}`).(studio.ClipList); len(list.Clips) != 0 {
		t.Errorf("%+v", list)
	}
	if _, err := h.Execute(t.Context(), studiotest.As(control.Director), "clip.remove", []byte(`{"name":"slate"}`)); err == nil {
		t.Error("a clip that is not there is removed")
	}
	if _, err := h.Execute(t.Context(), studiotest.As(control.Operator), "clip.remove", []byte(`{"name":"slate"}`)); err == nil || !strings.Contains(err.Error(), "needs the role director") {
		t.Error(err)
	}
}
