package cert

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// house is a machine that changes its addresses and grows older.
type house struct {
	dir   string
	names Names
	at    time.Time
}

func newHouse(t *testing.T) *house {
	return &house{dir: filepath.Join(t.TempDir(), "tls"), names: Names{Hosts: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}, at: time.Now()}
}

func (h *house) keep(t *testing.T) *Keeper {
	t.Helper()
	k, err := keep(h.dir, func() Names { return h.names }, func() time.Time { return h.at })
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func leaf(t *testing.T, k *Keeper) *x509.Certificate {
	t.Helper()
	pair, err := k.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestAServerIsReachedByItsNamesAndAddresses(t *testing.T) {
	k := newHouse(t).keep(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", k.Config())
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	go web.Serve(l)
	defer web.Close()
	trust := x509.NewCertPool()
	trust.AddCert(leaf(t, k))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}, DisableKeepAlives: true}}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost"} {
		resp, err := client.Get("https://" + net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		resp.Body.Close()
	}
}

func TestTheCertificateIsKeptAndItsKeyIsSecret(t *testing.T) {
	h := newHouse(t)
	first := leaf(t, h.keep(t))
	if second := leaf(t, h.keep(t)); !first.Equal(second) {
		t.Error("a restart made another certificate: browsers would warn again")
	}
	info, err := os.Stat(filepath.Join(h.dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v", info.Mode())
	}
}

func TestItIsRenewedBeforeItEnds(t *testing.T) {
	h := newHouse(t)
	k := h.keep(t)
	first := leaf(t, k)
	h.at = first.NotAfter.Add(-renewBefore - time.Hour)
	if !leaf(t, k).Equal(first) {
		t.Error("renewed too early")
	}
	h.at = first.NotAfter.Add(-renewBefore + time.Hour)
	second := leaf(t, k)
	if second.Equal(first) || !second.NotAfter.After(first.NotAfter) {
		t.Errorf("it ends %v, at %v", second.NotAfter, h.at)
	}
	if !second.PublicKey.(*ecdsa.PublicKey).Equal(first.PublicKey) {
		t.Error("it has another key")
	}
}

func TestAnotherNetworkIsNamedTooTheOldOneStays(t *testing.T) {
	h := newHouse(t)
	k := h.keep(t)
	first := leaf(t, k)
	h.names.IPs = []net.IP{net.IPv4(10, 0, 0, 7)}
	if !leaf(t, k).Equal(first) {
		t.Error("it looks at each handshake")
	}
	h.at = h.at.Add(lookEvery)
	for _, ip := range []net.IP{net.IPv4(10, 0, 0, 7), net.IPv4(127, 0, 0, 1)} {
		if second := leaf(t, k); !slices.ContainsFunc(second.IPAddresses, ip.Equal) {
			t.Errorf("%v is not among %v", ip, second.IPAddresses)
		}
	}
	h.at = h.at.Add(lookEvery)
	second := leaf(t, k)
	h.names.IPs = nil // an address less is no reason to warn everybody again
	h.at = h.at.Add(lookEvery)
	if !leaf(t, k).Equal(second) {
		t.Error("it was made anew for an address less")
	}
}

func TestBrokenFilesAreSaidNotReplaced(t *testing.T) {
	h := newHouse(t)
	h.keep(t)
	if err := os.WriteFile(filepath.Join(h.dir, keyFile), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keep(h.dir, func() Names { return h.names }, time.Now); err == nil {
		t.Error("a key that can't be read went unnoticed")
	}
}

func TestThisMachineHasNames(t *testing.T) {
	n := Local()
	if !slices.Contains(n.Hosts, "localhost") || len(n.IPs) < 2 {
		t.Errorf("%+v", n)
	}
}
