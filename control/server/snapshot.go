package server

import (
	"fmt"
	"net/http"
	"strings"

	"obvan/control"
	"obvan/internal/text"
)

// snapshot is GET /api/v1/snapshot/{stream}.jpg: the newest frame of a stream, as a still image.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request) {
	stream, ok := strings.CutSuffix(r.PathValue("file"), ".jpg")
	if !ok {
		s.fail(w, fmt.Errorf("snapshots are JPEG: request %s.jpg: %w", text.Quote(r.PathValue("file")), control.ErrNotFound))
		return
	}
	if s.cfg.Snapshots == nil {
		s.fail(w, fmt.Errorf("snapshots: %w by this server", control.ErrUnsupported))
		return
	}
	frame, err := s.cfg.Snapshots.JPEG(r.Context(), stream)
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(frame) // a client that has disconnected misses nothing
}
