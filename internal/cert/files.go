package cert

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// filesEvery is how often the files are looked at, at most.
const filesEvery = time.Minute

// Files is a certificate that something else keeps, and renews now and then. Its
// methods are safe for concurrent use.
type Files struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time

	mu      sync.Mutex
	pair    *tls.Certificate
	looked  time.Time
	looking bool

	// Of who looks.
	read version
	said string // what is wrong with the new files
}

// version is what two files were when they were read. certbot's are links to others,
// which it makes anew.
type version struct {
	certAt, keyAt     int64
	certSize, keySize int64
}

// Follow reads a certificate and its key from two PEM files, and reads them again when
// they change.
func Follow(cert, key string, log *slog.Logger) (*Files, error) {
	return follow(cert, key, log, time.Now)
}

func follow(cert, key string, log *slog.Logger, now func() time.Time) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log, now: now, looked: now()}
	pair, at, err := f.load()
	f.pair, f.read = pair, at
	return f, err
}

// Config is a TLS configuration with the certificate, which may change while it is
// in use.
func (f *Files) Config() *tls.Config { return config(f.Get) }

// Get is the certificate. Who comes when it is time looks at the files; all others go on
// with what there is.
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	pair, now := f.pair, f.now()
	due := !f.looking && now.Sub(f.looked) >= filesEvery
	f.looking = f.looking || due
	f.mu.Unlock()
	if !due {
		return pair, nil
	}
	if fresh := f.look(); fresh != nil {
		pair = fresh
	}
	f.mu.Lock()
	f.pair, f.looked, f.looking = pair, now, false
	f.mu.Unlock()
	return pair, nil
}

// look is the new certificate, nil when there is none. Files that are no good are read
// again each time, since a renewal may be half done, but what is wrong is said once.
func (f *Files) look() *tls.Certificate {
	if at, err := f.version(); err == nil && at == f.read {
		f.said = ""
		return nil
	}
	pair, at, err := f.load()
	if err != nil {
		if f.said != err.Error() {
			f.log.Error("new certificate can't be used, the old one stays", "err", err)
			f.said = err.Error()
		}
		return nil
	}
	f.log.Info("new certificate", "until", pair.Leaf.NotAfter)
	f.read, f.said = at, ""
	return pair
}

// load reads the files. What they were is asked before: a change in between is seen the
// next time.
func (f *Files) load() (*tls.Certificate, version, error) {
	at, err := f.version()
	if err != nil {
		return nil, at, err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, at, fmt.Errorf("read %s and %s: %w", f.cert, f.key, err)
	}
	return &pair, at, nil
}

func (f *Files) version() (version, error) {
	cert, err := os.Stat(f.cert)
	if err != nil {
		return version{}, err
	}
	key, err := os.Stat(f.key)
	if err != nil {
		return version{}, err
	}
	return version{cert.ModTime().UnixNano(), key.ModTime().UnixNano(), cert.Size(), key.Size()}, nil
}
