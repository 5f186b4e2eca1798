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

// office is where somebody else keeps a certificate in two files.
type office struct {
	t         *testing.T
	cert, key string
	at        time.Time
	log       bytes.Buffer
	issued    int
}

func newOffice(t *testing.T) *office {
	dir := t.TempDir()
	o := &office{t: t, cert: filepath.Join(dir, "fullchain.pem"), key: filepath.Join(dir, "privkey.pem"), at: time.Now()}
	o.put(o.issue())
	return o
}

func (o *office) follow() *Files {
	o.t.Helper()
	f, err := follow(o.cert, o.key, slog.New(slog.NewTextHandler(&o.log, nil)), func() time.Time { return o.at })
	if err != nil {
		o.t.Fatal(err)
	}
	return f
}

// issue is another certificate with a key of its own.
func (o *office) issue() (cert, key []byte) {
	o.t.Helper()
	h := newHouse(o.t)
	h.keep(o.t)
	for i, name := range []string{certFile, keyFile} {
		b, err := os.ReadFile(filepath.Join(h.dir, name))
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

// put writes the two files, with times that differ from all before.
func (o *office) put(cert, key []byte) {
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

func (o *office) leaf(f *Files) *x509.Certificate {
	o.t.Helper()
	pair, err := f.Get(nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return pair.Leaf
}

func TestARenewedFileIsTakenUpWithinAMinute(t *testing.T) {
	o := newOffice(t)
	f := o.follow()
	first := o.leaf(f)
	o.put(o.issue())
	if !o.leaf(f).Equal(first) {
		t.Error("it looks at each handshake")
	}
	o.at = o.at.Add(filesEvery)
	second := o.leaf(f)
	if second.Equal(first) {
		t.Error("the renewed certificate is not shown")
	}
	if n := strings.Count(o.log.String(), "new certificate"); n != 1 {
		t.Errorf("said %d times: %s", n, &o.log)
	}
	o.at = o.at.Add(filesEvery)
	if !o.leaf(f).Equal(second) || strings.Count(o.log.String(), "\n") != 1 {
		t.Errorf("files that did not change were read again: %s", &o.log)
	}
}

func TestABrokenNewFileKeepsTheOldCertificateAndIsSaidOnce(t *testing.T) {
	o := newOffice(t)
	f := o.follow()
	first := o.leaf(f)
	cert, key := o.issue()
	for what, broken := range map[string]func(){
		"garbage":             func() { o.put([]byte("no certificate"), key) },
		"another one's key":   func() { _, other := o.issue(); o.put(cert, other) },
		"a file that is gone": func() { os.Remove(o.cert) },
	} {
		o.log.Reset()
		broken()
		for range 3 {
			o.at = o.at.Add(filesEvery)
			if !o.leaf(f).Equal(first) {
				t.Errorf("%s: the old certificate is not shown any more", what)
			}
		}
		if said := o.log.String(); strings.Count(said, "the old one stays") != 1 || strings.Contains(said, "PRIVATE") {
			t.Errorf("%s: the log says %q", what, said)
		}
	}
	o.put(cert, key)
	o.at = o.at.Add(filesEvery)
	if o.leaf(f).Equal(first) {
		t.Error("the renewal that came right was not taken up")
	}
}

func TestFilesThatAreNoGoodAtTheStartAreAnError(t *testing.T) {
	o := newOffice(t)
	o.put([]byte("no certificate"), []byte("no key"))
	if _, err := Follow(o.cert, o.key, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), o.cert) {
		t.Errorf("err = %v", err)
	}
}

func TestARenewedCertificateIsShownOnADoorThatIsOpen(t *testing.T) {
	o := newOffice(t)
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
	shown := func() *x509.Certificate {
		dialer := &net.Dialer{Timeout: 5 * time.Second}
		conn, err := tls.DialWithDialer(dialer, "tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	first := shown()
	o.put(o.issue())
	o.at = o.at.Add(filesEvery) // nobody shakes hands meanwhile
	if shown().Equal(first) {
		t.Error("the old certificate is shown")
	}
}
