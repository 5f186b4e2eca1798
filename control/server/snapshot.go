package server

import (
	"fmt"
	"net/http"
	"strings"

	"obvan/control"
	"obvan/internal/text"
)

// snapshot is GET /api/v1/snapshot/{stream}.jpg: the newest picture of a stream.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request) {
	stream, ok := strings.CutSuffix(r.PathValue("file"), ".jpg")
	if !ok {
		s.fail(w, fmt.Errorf("snapshots are JPEG: ask for %s.jpg: %w", text.Quote(r.PathValue("file")), control.ErrNotFound))
		return
	}
	if s.cfg.Snapshots == nil {
		s.fail(w, fmt.Errorf("this server makes no snapshots: %w", control.ErrUnsupported))
		return
	}
	frame, err := s.cfg.Snapshots.JPEG(r.Context(), stream)
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(frame) // who does not listen any more misses nothing
}
