// Package cert is the server's TLS certificates.
//
// SelfSigned makes, stores and renews a self-signed one, for a server without a public
// name: browsers let only https pages use a camera, on a LAN too. A browser warns once
// about a self-signed certificate, and again after each renewal: it is renewed only when
// it is about to expire or does not cover one of the machine's addresses.
//
// Files is a certificate that another program makes and renews.
package cert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"obvan/internal/disk"
)

const (
	validFor    = 397 * 24 * time.Hour // browsers refuse more than 398 days
	renewBefore = 30 * 24 * time.Hour
	checkEvery  = 10 * time.Minute
	maxNames    = 64

	certFile = "cert.pem"
	keyFile  = "key.pem"
)

// Names is what the certificate must cover.
type Names struct {
	Hosts []string
	IPs   []net.IP
}

// SelfSigned is a self-signed certificate, stored in a folder. Its methods are safe for concurrent use.
type SelfSigned struct {
	dir   string
	names func() Names
	now   func() time.Time

	mu        sync.Mutex
	pair      *tls.Certificate
	lastCheck time.Time
}

// OpenSelfSigned reads the certificate from dir, or makes one for names. It creates dir.
func OpenSelfSigned(dir string, names func() Names) (*SelfSigned, error) {
	return openSelfSigned(dir, names, time.Now)
}

func openSelfSigned(dir string, names func() Names, now func() time.Time) (*SelfSigned, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store a certificate: %w", err)
	}
	s := &SelfSigned{dir: dir, names: names, now: now}
	_, err := s.Get(nil)
	return s, err
}

// Config is a TLS configuration with the certificate, which may change while it is
// in use.
func (s *SelfSigned) Config() *tls.Config {
	return config(s.Get)
}

func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12}
}

// Get is the certificate, renewed when it is due. When the renewal fails the old one
// stays in use.
func (s *SelfSigned) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.pair != nil && now.Sub(s.lastCheck) < checkEvery {
		return s.pair, nil
	}
	s.lastCheck = now
	err := s.ensure(now)
	if s.pair != nil {
		return s.pair, nil
	}
	return nil, err
}

// ensure makes sure that there is a valid certificate; the caller holds mu.
func (s *SelfSigned) ensure(now time.Time) error {
	if s.pair == nil {
		pair, err := tls.LoadX509KeyPair(filepath.Join(s.dir, certFile), filepath.Join(s.dir, keyFile))
		switch {
		case err == nil:
			s.pair = &pair
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("read the certificate in %s (delete both files there to create a new one): %w", s.dir, err)
		}
	}
	names := s.names()
	if s.pair != nil && now.Before(s.pair.Leaf.NotAfter.Add(-renewBefore)) && covers(s.pair.Leaf, names) {
		return nil
	}
	pair, err := s.renew(now, names)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	s.pair = pair
	return nil
}

func covers(leaf *x509.Certificate, names Names) bool {
	for _, host := range names.Hosts {
		if !slices.Contains(leaf.DNSNames, host) {
			return false
		}
	}
	for _, ip := range names.IPs {
		if !slices.ContainsFunc(leaf.IPAddresses, ip.Equal) {
			return false
		}
	}
	return true
}

// renew makes a new certificate with the same key, if there is one. It covers the old
// names too: the machine may be back in its other network tomorrow.
func (s *SelfSigned) renew(now time.Time, names Names) (*tls.Certificate, error) {
	var key *ecdsa.PrivateKey
	if s.pair != nil {
		key, _ = s.pair.PrivateKey.(*ecdsa.PrivateKey)
		names = mergeNames(names, s.pair.Leaf)
	}
	if key == nil {
		var err error
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "OB Van", Organization: []string{"OB Van studio"}},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(validFor - 24*time.Hour), // a phone's clock may be behind
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: names.Hosts, IPAddresses: names.IPs,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	// The key first: a certificate without its key could not be read again.
	return &pair, errors.Join(writeIfChanged(filepath.Join(s.dir, keyFile), keyPEM), writeIfChanged(filepath.Join(s.dir, certFile), certPEM))
}

func mergeNames(names Names, leaf *x509.Certificate) Names {
	for _, host := range leaf.DNSNames {
		if !slices.Contains(names.Hosts, host) && len(names.Hosts) < maxNames {
			names.Hosts = append(slices.Clip(names.Hosts), host)
		}
	}
	for _, ip := range leaf.IPAddresses {
		if !slices.ContainsFunc(names.IPs, ip.Equal) && len(names.IPs) < maxNames {
			names.IPs = append(slices.Clip(names.IPs), ip)
		}
	}
	return names
}

// writeIfChanged replaces a file unless it already has this content.
func writeIfChanged(name string, content []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	return disk.Write(name, content, 0o600)
}

// Local is this machine's own names and addresses.
func Local() Names {
	n := Names{Hosts: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	if host, err := os.Hostname(); err == nil && host != "" && host != "localhost" && len(host) < 64 {
		n.Hosts = append(n.Hosts, host)
		if !slices.Contains([]byte(host), '.') {
			n.Hosts = append(n.Hosts, host+".local") // its mDNS name
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return n
	}
	for _, a := range addrs {
		// IPv6 addresses change by the hour, and no one types them.
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() && len(n.IPs) < maxNames {
			n.IPs = append(n.IPs, ip.IP)
		}
	}
	return n
}
