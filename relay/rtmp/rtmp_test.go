package rtmp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/sink"
)

func TestMain(m *testing.M) {
	if os.Getenv(farEndEnv) != "" {
		serveFarEnds()
		return
	}
	testkit.Main(m)
}

// farEnd runs a sink for a test.
func farEnd(t testing.TB, config *tls.Config) *sink.Server {
	s, err := sink.Listen("127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Errorf("sink: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// certificate is one for host, and a pool that trusts it.
func certificate(t testing.TB, host string) (*tls.Config, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func TestContract(t *testing.T) {
	for name, merge := range map[string]time.Duration{"merged": rtmp.DefaultMerge, "unmerged": 0} {
		t.Run(name, func(t *testing.T) {
			relaytest.Test(t, func(t *testing.T) relaytest.Output {
				out := rtmp.New(nil)
				out.Merge, out.Stall, out.Backlog = merge, time.Second, time.Second
				return relaytest.Output{Push: out.Push, FarEnd: farEnd(t, nil)}
			})
		})
	}
}

func TestContractOverTLS(t *testing.T) {
	server, roots := certificate(t, "127.0.0.1")
	relaytest.Test(t, func(t *testing.T) relaytest.Output {
		out := rtmp.New(&tls.Config{RootCAs: roots})
		out.Stall, out.Backlog = time.Second, 2*time.Second
		return relaytest.Output{Push: out.Push, FarEnd: farEnd(t, server)}
	})
}
