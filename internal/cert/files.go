package cert

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// filesEvery is the shortest time between two checks of the files.
const filesEvery = time.Minute

// Files is a certificate in two files that another program renews. Its methods are
// safe for concurrent use.
type Files struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time

	mu        sync.Mutex
	pair      *tls.Certificate
	lastCheck time.Time
	checking  bool

	// Only for the goroutine that is checking.
	read      version
	lastError string // what is wrong with the new files
}

// version tells whether the two files changed since they were read. certbot's are links
// to files that it creates at each renewal.
type version struct {
	certAt, keyAt     int64
	certSize, keySize int64
}

// FollowFiles reads a certificate and its key from two PEM files, and reads them again when
// they change.
func FollowFiles(cert, key string, log *slog.Logger) (*Files, error) {
	return followFiles(cert, key, log, time.Now)
}

func followFiles(cert, key string, log *slog.Logger, now func() time.Time) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log, now: now, lastCheck: now()}
	pair, at, err := f.load()
	f.pair, f.read = pair, at
	return f, err
}

// Config is a TLS configuration with the certificate, which may change while it is
// in use.
func (f *Files) Config() *tls.Config { return config(f.Get) }

// Get is the certificate. The first caller after filesEvery checks the files; meanwhile
// all others get the certificate as it was.
func (f *Files) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	pair, now := f.pair, f.now()
	due := !f.checking && now.Sub(f.lastCheck) >= filesEvery
	f.checking = f.checking || due
	f.mu.Unlock()
	if !due {
		return pair, nil
	}
	if fresh := f.reload(); fresh != nil {
		pair = fresh
	}
	f.mu.Lock()
	f.pair, f.lastCheck, f.checking = pair, now, false
	f.mu.Unlock()
	return pair, nil
}

// reload is the new certificate, nil when there is none. Invalid files are read again each
// time, since a renewal may be half done, but the error is logged once.
func (f *Files) reload() *tls.Certificate {
	if at, err := f.version(); err == nil && at == f.read {
		f.lastError = ""
		return nil
	}
	pair, at, err := f.load()
	if err != nil {
		if f.lastError != err.Error() {
			f.log.Error("new certificate can't be used; the old one stays in use", "err", err)
			f.lastError = err.Error()
		}
		return nil
	}
	f.log.Info("new certificate", "until", pair.Leaf.NotAfter)
	f.read, f.lastError = at, ""
	return pair
}

// load reads the files. Their version is taken first: a change while they are read is
// noticed the next time.
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
