package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"rsc.io/qr"

	"obvan/control"
	"obvan/ingest"
)

// A phone that is a camera shows its own tally light. It has the feed's key and no
// token, so it can't open the websocket; it gets its tally light, and nothing else.

// The light is sent when it changes, and every tallyEvery: a page that receives nothing for
// longer must not keep showing green.
const (
	tallyEvery   = 2 * time.Second
	maxPhones    = 128
	maxQR        = 1200
	maxAddress   = 16
	qrMargin     = 4 // modules of white around a code (ISO/IEC 18004, 5.3.8)
	tallyTimeout = 5 * time.Second
)

// CameraLight is a line of GET /api/v1/camera/{feed}.
type CameraLight struct {
	Name  string            `json:"name"`
	Tally control.Light     `json:"tally"` // "" is dark
	State control.FeedState `json:"state"` // "" for a feed that never connected
	Live  bool              `json:"live"`  // the show is live
	Notes []string          `json:"notes,omitempty"`

	Unknown bool `json:"unknown,omitempty"` // the mixer is not connected: whether it shows this camera is unknown
}

// camera is GET /api/v1/camera/{feed}: the feed's tally light as an endless stream of lines
// of JSON, for whoever may publish it.
func (s *Server) camera(w http.ResponseWriter, r *http.Request) {
	feed := r.PathValue("feed")
	if err := ingest.CheckName(feed); err != nil {
		s.fail(w, err)
		return
	}
	if err := s.cfg.Studio.Authorise(ingest.Request{Stream: feed, Key: tokenIn(r, false), Proto: "camera", Remote: clientAddr(r)}); err != nil {
		s.fail(w, err)
		return
	}
	if s.clients.phones.Add(1) > maxPhones {
		s.clients.phones.Add(-1)
		s.fail(w, fmt.Errorf("at most %d cameras may request their tally light: %w", maxPhones, control.ErrTooMany))
		return
	}
	defer s.clients.phones.Add(-1)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("X-Accel-Buffering", "no") // proxies must not delay a tally light
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	s.streamTally(w, r, feed)
}

// streamTally writes lines until the phone disconnects or the server shuts down.
func (s *Server) streamTally(w http.ResponseWriter, r *http.Request, feed string) {
	out := http.NewResponseController(w)
	beat := time.NewTicker(tallyEvery)
	defer beat.Stop()
	for last, due := "", true; ; {
		_, _, next := s.cfg.Store.Since(^uint64(0)) // before reading, so that nothing is missed
		line, err := json.Marshal(s.tallyOf(feed))
		if err != nil {
			return
		}
		if due || string(line) != last {
			last, due = string(line), false
			_ = out.SetWriteDeadline(time.Now().Add(tallyTimeout))
			if _, err := w.Write(append(line, '\n')); err != nil {
				return
			}
			if out.Flush() != nil {
				return
			}
		}
		select {
		case <-next:
		case <-beat.C:
			due = true
		case <-r.Context().Done():
			return
		case <-s.clients.ctx.Done():
			return
		}
	}
}

func (s *Server) tallyOf(feed string) (l CameraLight) {
	l.Name = feed
	s.cfg.Store.Read(func(st *control.State) {
		l.Tally, l.Live = st.Tally[feed], st.Show.Live
		l.Unknown = !st.Mixer.Connected && l.Tally == ""
		for i := range st.Feeds {
			if f := &st.Feeds[i]; f.ID == feed {
				l.Name, l.State, l.Notes = f.Name, f.State, f.Notes
			}
		}
	})
	return l
}

// qrCode is /api/v1/qr: a text as a QR code, in SVG. By POST the text is the body:
// one with a key in it stays out of addresses, which end up in logs.
func (s *Server) qrCode(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("text")
	if r.Method == http.MethodPost {
		b, err := body(w, r)
		if err != nil {
			s.fail(w, err)
			return
		}
		text = string(b)
	}
	if text == "" || len(text) > maxQR {
		s.fail(w, control.Invalidf("the text for a QR code is 1 to %d bytes", maxQR))
		return
	}
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		s.fail(w, control.Invalidf("this text does not fit in a QR code"))
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	io.WriteString(w, svg(code))
}

// svg draws a code black on white, with the white margin that readers need.
func svg(code *qr.Code) string {
	var b strings.Builder
	side := code.Size + 2*qrMargin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="`, side)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from+qrMargin, y+qrMargin, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}

// addresses is GET /api/v1/addresses: where other devices on the network reach this
// machine. A panel opened as localhost can't know.
func (s *Server) addresses(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, map[string]any{"hosts": lanHosts(), "secure": s.cfg.Secure})
}

// lanHosts is this machine's addresses, the likely ones first.
func lanHosts() []string {
	hosts, public := []string{}, []string{}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return hosts
	}
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.To4() == nil || n.IP.IsLoopback() || n.IP.IsLinkLocalUnicast() {
			continue
		}
		if n.IP.IsPrivate() {
			hosts = append(hosts, n.IP.String())
		} else {
			public = append(public, n.IP.String())
		}
	}
	hosts = append(hosts, public...)
	return hosts[:min(len(hosts), maxAddress)]
}
