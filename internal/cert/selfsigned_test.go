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

// machine is a computer whose addresses and clock a test changes.
type machine struct {
	dir   string
	names Names
	now   time.Time
}

func newMachine(t *testing.T) *machine {
	return &machine{dir: filepath.Join(t.TempDir(), "tls"), names: Names{Hosts: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}, now: time.Now()}
}

func (machine *machine) open(t *testing.T) *SelfSigned {
	t.Helper()
	selfSigned, err := openSelfSigned(machine.dir, func() Names { return machine.names }, func() time.Time { return machine.now })
	if err != nil {
		t.Fatal(err)
	}
	return selfSigned
}

func leaf(t *testing.T, selfSigned *SelfSigned) *x509.Certificate {
	t.Helper()
	pair, err := selfSigned.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestAServerIsReachedByItsNamesAndAddresses(t *testing.T) {
	selfSigned := newMachine(t).open(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", selfSigned.Config())
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	go web.Serve(l)
	defer web.Close()
	trust := x509.NewCertPool()
	trust.AddCert(leaf(t, selfSigned))
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

func TestTheCertificateIsStoredAndItsKeyIsSecret(t *testing.T) {
	machine := newMachine(t)
	first := leaf(t, machine.open(t))
	if second := leaf(t, machine.open(t)); !first.Equal(second) {
		t.Error("a restart made another certificate: browsers would warn again")
	}
	info, err := os.Stat(filepath.Join(machine.dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v", info.Mode())
	}
}

func TestTheCertificateIsRenewedBeforeItExpires(t *testing.T) {
	machine := newMachine(t)
	selfSigned := machine.open(t)
	first := leaf(t, selfSigned)
	machine.now = first.NotAfter.Add(-renewBefore - time.Hour)
	if !leaf(t, selfSigned).Equal(first) {
		t.Error("renewed too early")
	}
	machine.now = first.NotAfter.Add(-renewBefore + time.Hour)
	second := leaf(t, selfSigned)
	if second.Equal(first) || !second.NotAfter.After(first.NotAfter) {
		t.Errorf("it expires %v, at %v", second.NotAfter, machine.now)
	}
	if !second.PublicKey.(*ecdsa.PublicKey).Equal(first.PublicKey) {
		t.Error("it has another key")
	}
}

func TestANewNetworkIsAddedAndTheOldOneStays(t *testing.T) {
	machine := newMachine(t)
	selfSigned := machine.open(t)
	first := leaf(t, selfSigned)
	machine.names.IPs = []net.IP{net.IPv4(10, 0, 0, 7)}
	if !leaf(t, selfSigned).Equal(first) {
		t.Error("it checks at every handshake")
	}
	machine.now = machine.now.Add(checkEvery)
	for _, ip := range []net.IP{net.IPv4(10, 0, 0, 7), net.IPv4(127, 0, 0, 1)} {
		if second := leaf(t, selfSigned); !slices.ContainsFunc(second.IPAddresses, ip.Equal) {
			t.Errorf("%v is not among %v", ip, second.IPAddresses)
		}
	}
	machine.now = machine.now.Add(checkEvery)
	second := leaf(t, selfSigned)
	machine.names.IPs = nil // one address fewer is no reason to make every browser warn again
	machine.now = machine.now.Add(checkEvery)
	if !leaf(t, selfSigned).Equal(second) {
		t.Error("it was renewed because of one address fewer")
	}
}

func TestInvalidFilesAreReportedAndNotReplaced(t *testing.T) {
	machine := newMachine(t)
	machine.open(t)
	if err := os.WriteFile(filepath.Join(machine.dir, keyFile), []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openSelfSigned(machine.dir, func() Names { return machine.names }, time.Now); err == nil {
		t.Error("a key that can't be read went unnoticed")
	}
}

func TestLocalNamesThisMachine(t *testing.T) {
	n := Local()
	if !slices.Contains(n.Hosts, "localhost") || len(n.IPs) < 2 {
		t.Errorf("%+v", n)
	}
}
