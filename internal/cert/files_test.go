package cert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// issuer is another program that writes a certificate to two files.
type issuer struct {
	t         *testing.T
	cert, key string
	now       time.Time
	log       bytes.Buffer
	issued    int
}

func newIssuer(t *testing.T) *issuer {
	dir := t.TempDir()
	o := &issuer{t: t, cert: filepath.Join(dir, "fullchain.pem"), key: filepath.Join(dir, "privkey.pem"), now: time.Now()}
	o.put(o.issue())
	return o
}

func (o *issuer) follow() *Files {
	o.t.Helper()
	f, err := followFiles(o.cert, o.key, slog.New(slog.NewTextHandler(&o.log, nil)), func() time.Time { return o.now })
	if err != nil {
		o.t.Fatal(err)
	}
	return f
}

// issue makes a new certificate with a key of its own.
func (o *issuer) issue() (cert, key []byte) {
	o.t.Helper()
	machine := newMachine(o.t)
	machine.open(o.t)
	for i, name := range []string{certFile, keyFile} {
		b, err := os.ReadFile(filepath.Join(machine.dir, name))
		if err != nil {
			o.t.Fatal(err)
		}
		if i == 0 {
			cert = b
		} else {
			key = b
		}
	}
	return cert, key
}

// put writes the two files, with modification times unlike any before.
func (o *issuer) put(cert, key []byte) {
	o.t.Helper()
	o.issued++
	for name, b := range map[string][]byte{o.cert: cert, o.key: key} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			o.t.Fatal(err)
		}
		at := time.Unix(1_700_000_000+int64(o.issued), 0)
		if err := os.Chtimes(name, at, at); err != nil {
			o.t.Fatal(err)
		}
	}
}

func (o *issuer) leaf(f *Files) *x509.Certificate {
	o.t.Helper()
	pair, err := f.Get(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return pair.Leaf
}

func TestARenewedCertificateIsLoadedWithinAMinute(t *testing.T) {
	o := newIssuer(t)
	f := o.follow()
	first := o.leaf(f)
	o.put(o.issue())
	if !o.leaf(f).Equal(first) {
		t.Error("it checks at every handshake")
	}
	o.now = o.now.Add(filesEvery)
	second := o.leaf(f)
	if second.Equal(first) {
		t.Error("the renewed certificate is not used")
	}
	if n := strings.Count(o.log.String(), "new certificate"); n != 1 {
		t.Errorf("logged %d times: %s", n, &o.log)
	}
	o.now = o.now.Add(filesEvery)
	if !o.leaf(f).Equal(second) || strings.Count(o.log.String(), "\n") != 1 {
		t.Errorf("files that did not change were read again: %s", &o.log)
	}
}

func TestAnInvalidNewFileLeavesTheOldCertificateInUseAndIsLoggedOnce(t *testing.T) {
	o := newIssuer(t)
	f := o.follow()
	first := o.leaf(f)
	cert, key := o.issue()
	for what, broken := range map[string]func(){
		"garbage":                   func() { o.put([]byte("no certificate"), key) },
		"another certificate's key": func() { _, other := o.issue(); o.put(cert, other) },
		"a missing file":            func() { os.Remove(o.cert) },
	} {
		o.log.Reset()
		broken()
		for range 3 {
			o.now = o.now.Add(filesEvery)
			if !o.leaf(f).Equal(first) {
				t.Errorf("%s: the old certificate is no longer used", what)
			}
		}
		if logged := o.log.String(); strings.Count(logged, "the old one stays") != 1 || strings.Contains(logged, "PRIVATE") {
			t.Errorf("%s: the log says %q", what, logged)
		}
	}
	o.put(cert, key)
	o.now = o.now.Add(filesEvery)
	if o.leaf(f).Equal(first) {
		t.Error("the corrected renewal was not loaded")
	}
}

func TestInvalidFilesAtTheStartAreAnError(t *testing.T) {
	o := newIssuer(t)
	o.put([]byte("no certificate"), []byte("no key"))
	if _, err := FollowFiles(o.cert, o.key, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), o.cert) {
		t.Errorf("err = %v", err)
	}
}

func TestARenewedCertificateIsUsedByARunningListener(t *testing.T) {
	o := newIssuer(t)
	f := o.follow()
	l, err := tls.Listen("tcp", "127.0.0.1:0", f.Config().Clone()) // as libraries do
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	defer func() { l.Close(); <-served }()
	certPEM := func() *x509.Certificate {
		dialer := &net.Dialer{Timeout: 5 * time.Second}
		conn, err := tls.DialWithDialer(dialer, "tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	first := certPEM()
	o.put(o.issue())
	o.now = o.now.Add(filesEvery) // without a handshake in between
	if certPEM().Equal(first) {
		t.Error("the old certificate is still used")
	}
}
