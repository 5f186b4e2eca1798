package server

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// panel serves the pages. /tally/cam1 is tally.html: a page knows by its address
// what it is for. Folders are not listed.
func (s *Server) panel() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := s.page(r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		if strings.HasPrefix(name, "assets/") { // their names change with their content
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		http.ServeFileFS(w, r, s.cfg.Panel, name)
	})
}

// page is the file for a path, if there is one.
func (s *Server) page(urlPath string) (name string, ok bool) {
	if s.cfg.Panel == nil {
		return "", false
	}
	name = strings.Trim(path.Clean("/"+urlPath), "/")
	if name == "" {
		name = "index.html"
	}
	first, _, _ := strings.Cut(name, "/")
	for _, candidate := range []string{name, first + ".html"} {
		if info, err := fs.Stat(s.cfg.Panel, candidate); err == nil && !info.IsDir() {
			return candidate, true
		}
	}
	return "", false
}
