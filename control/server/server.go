// Package server is how clients reach the studio: HTTP, the websocket with JSON-RPC, the
// pages, the phones' tally lights and the metrics.
package server

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"obvan/control"
	"obvan/control/auth"
	"obvan/control/store"
	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/listen"
)

// Bounds of a request.
const (
	maxBody       = 64 << 10
	maxHeaders    = 32 << 10
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	bodyTimeout   = 10 * time.Second
	answerTimeout = time.Minute
	idleTimeout   = 2 * time.Minute
	uploadTimeout = 10 * time.Minute // of a clip: to come, and to be converted
	logoTimeout   = time.Minute
)

// How many connections the port has at most: some for each panel behind one router, and
// files left for cameras whatever others do.
const (
	maxConns        = 2048
	maxConnsPerHost = 512
)

// Studio is what the server needs of studio.Studio.
type Studio interface {
	Execute(ctx context.Context, c control.Caller, command string, args []byte) (any, error)
	Authorise(r ingest.Request) error // who may publish
	Redact(text string) string        // takes secrets out
	Ready() bool
	Uploads
}

// Uploads is what operators bring in.
type Uploads interface {
	PutClip(ctx context.Context, name string, length int64, content io.Reader) error
	PutLogo(ctx context.Context, name string, content io.Reader) error
	LogoFile(name string) (path string, err error)
}

// Monitor is what the server needs of whep.Server.
type Monitor interface {
	ServeViewer(w http.ResponseWriter, r *http.Request, who string) // under /whep/; who asks was checked
	End(who string)                                                 // access was revoked
	Clock(stream string) (rtp uint32, arrived time.Time, ok bool)
}

// Snapshots is what the server needs of snapshot.Server.
type Snapshots interface {
	JPEG(ctx context.Context, stream string) ([]byte, error)
}

// Config is what the server shows. What may be nil is not there then.
type Config struct {
	Studio    Studio
	Store     *store.Store
	Access    *auth.Access
	Commands  []control.Description
	Hub       *hub.Hub
	Monitor   Monitor         // answers /whep/; may be nil
	Whip      http.Handler    // answers /whip/; it asks Authorise itself; may be nil
	Snapshots Snapshots       // may be nil
	Panel     fs.FS           // the pages under /; may be nil
	Platforms any             // what /api/v1/platforms answers
	ICE       func() []string // STUN and TURN servers for browsers, as values of Link headers; nil for none
	Secure    bool            // panels come by https: the cookie stays there
}

// Server serves clients.
type Server struct {
	cfg     Config
	log     *slog.Logger
	known   map[string]bool // commands
	clients *clients
}

// New makes a server; serve it with Run.
func New(cfg Config, log *slog.Logger) *Server {
	s := &Server{cfg: cfg, log: log, known: map[string]bool{}, clients: newClients(cfg.Store)}
	for _, c := range cfg.Commands {
		s.known[c.Name] = true
	}
	cfg.Access.OnRevoke(func(name string) {
		s.clients.closeToken(name)
		if cfg.Monitor != nil {
			cfg.Monitor.End(name)
		}
	})
	return s
}

// Run serves on l until ctx is done and every client has disconnected.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	conns := &listen.ConnLimiter{Max: maxConns, PerHost: maxConnsPerHost}
	server := &http.Server{
		Handler: s.handler(), ConnState: conns.Track, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaders, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	var closing sync.WaitGroup
	defer closing.Wait()
	ended := make(chan struct{})
	defer close(ended)
	closing.Go(func() {
		select {
		case <-ctx.Done():
		case <-ended:
		}
		l.Close()         // accept no more
		s.clients.close() // close the websockets with a reason
		server.Close()
	})
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
