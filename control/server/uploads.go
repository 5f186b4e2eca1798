package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"obvan/control"
	"obvan/graphics"
	"obvan/ingest/clip"
	"obvan/internal/text"
)

// putClip is PUT /api/v1/clips/{name}: its body is the file. It answers once the clip
// can be played.
func (s *Server) putClip(w http.ResponseWriter, r *http.Request) {
	// The server's own deadlines are for bodies of a few kilobytes.
	until := time.Now().Add(uploadTimeout)
	control := http.NewResponseController(w)
	_, _ = control.SetReadDeadline(until), control.SetWriteDeadline(until)
	ctx, cancel := context.WithDeadline(r.Context(), until)
	defer cancel()
	if err := s.cfg.Studio.PutClip(ctx, r.PathValue("name"), r.ContentLength, http.MaxBytesReader(w, r.Body, clip.MaxBytes+1)); err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, map[string]any{"result": nil})
}

// putLogo is PUT /api/v1/logos/{name}: its body is the image.
func (s *Server) putLogo(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(logoTimeout))
	if err := s.cfg.Studio.PutLogo(r.Context(), r.PathValue("name"), http.MaxBytesReader(w, r.Body, graphics.MaxLogo+1)); err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, map[string]any{"result": nil})
}

// getLogo is GET /api/v1/logos/{file}: the image, for the overlay page and the panel.
func (s *Server) getLogo(w http.ResponseWriter, r *http.Request) {
	name, isPNG := strings.CutSuffix(r.PathValue("file"), ".png")
	if !isPNG {
		s.fail(w, fmt.Errorf("logos are PNG: request %s.png: %w", text.Quote(name), control.ErrNotFound))
		return
	}
	path, err := s.cfg.Studio.LogoFile(name)
	if err != nil {
		s.fail(w, err)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		s.fail(w, fmt.Errorf("%w: %w", graphics.ErrNoLogo, err))
		return
	}
	defer f.Close()
	changed := time.Time{} // when it is not known, the image is sent every time
	if info, err := f.Stat(); err == nil {
		changed = info.ModTime()
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", "no-cache") // it may be replaced: browsers ask whether it is the same
	http.ServeContent(w, r, "", changed, f)
}
