// Package cert makes and keeps a certificate of our own (Keeper), for a server that has
// no name in the world: browsers give a camera only to https pages, also on a LAN.
//
// Nobody vouches for it, so a browser warns once. It is renewed before it ends, and
// when the machine has addresses that it does not name; each renewal costs another
// warning, so it is not done for less.
//
// Files is a certificate that something else makes and renews.
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
	lasts       = 397 * 24 * time.Hour // browsers refuse what lasts longer than 398 days
	renewBefore = 30 * 24 * time.Hour
	lookEvery   = 10 * time.Minute
	mostNames   = 64

	certFile = "cert.pem"
	keyFile  = "key.pem"
)

// Names is what the certificate must be good for.
type Names struct {
	Hosts []string
	IPs   []net.IP
}

// Keeper has the certificate at hand. Its methods are safe for concurrent use.
type Keeper struct {
	dir   string
	names func() Names
	now   func() time.Time

	mu     sync.Mutex
	pair   *tls.Certificate
	looked time.Time
}

// Keep reads the certificate from dir, or makes one for names. It makes dir.
func Keep(dir string, names func() Names) (*Keeper, error) { return keep(dir, names, time.Now) }

func keep(dir string, names func() Names, now func() time.Time) (*Keeper, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep a certificate: %w", err)
	}
	k := &Keeper{dir: dir, names: names, now: now}
	_, err := k.Get(nil)
	return k, err
}

// Config is a TLS configuration with the certificate, which may change while it is
// in use.
func (k *Keeper) Config() *tls.Config {
	return config(k.Get)
}

func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{GetCertificate: get, MinVersion: tls.VersionTLS12}
}

// Get is the certificate, renewed when it is time. A renewal that fails leaves the
// old one in use: it is better than none.
func (k *Keeper) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.pair != nil && now.Sub(k.looked) < lookEvery {
		return k.pair, nil
	}
	k.looked = now
	err := k.look(now)
	if k.pair != nil {
		return k.pair, nil
	}
	return nil, err
}

// look makes sure that there is a certificate that will do; k.mu is held.
func (k *Keeper) look(now time.Time) error {
	if k.pair == nil {
		pair, err := tls.LoadX509KeyPair(filepath.Join(k.dir, certFile), filepath.Join(k.dir, keyFile))
		switch {
		case err == nil:
			k.pair = &pair
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("read the certificate in %s (delete both files there to have another made): %w", k.dir, err)
		}
	}
	names := k.names()
	if k.pair != nil && now.Before(k.pair.Leaf.NotAfter.Add(-renewBefore)) && covers(k.pair.Leaf, names) {
		return nil
	}
	pair, err := k.renew(now, names)
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	k.pair = pair
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

// renew makes another certificate with the same key, if there is one. It is good for
// the old names too: the machine may be back in its other network tomorrow.
func (k *Keeper) renew(now time.Time, names Names) (*tls.Certificate, error) {
	var key *ecdsa.PrivateKey
	if k.pair != nil {
		key, _ = k.pair.PrivateKey.(*ecdsa.PrivateKey)
		names = joined(names, k.pair.Leaf)
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
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(lasts - 24*time.Hour), // phones' clocks may be behind
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
	shown := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	hidden := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	pair, err := tls.X509KeyPair(shown, hidden)
	if err != nil {
		return nil, err
	}
	// The key first: a certificate without its key could not be read again.
	return &pair, errors.Join(write(filepath.Join(k.dir, keyFile), hidden), write(filepath.Join(k.dir, certFile), shown))
}

func joined(names Names, leaf *x509.Certificate) Names {
	for _, host := range leaf.DNSNames {
		if !slices.Contains(names.Hosts, host) && len(names.Hosts) < mostNames {
			names.Hosts = append(slices.Clip(names.Hosts), host)
		}
	}
	for _, ip := range leaf.IPAddresses {
		if !slices.ContainsFunc(names.IPs, ip.Equal) && len(names.IPs) < mostNames {
			names.IPs = append(slices.Clip(names.IPs), ip)
		}
	}
	return names
}

// write replaces a file, when it is another one then.
func write(name string, content []byte) error {
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
			n.Hosts = append(n.Hosts, host+".local") // as mDNS calls it
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return n
	}
	for _, a := range addrs {
		// IPv6 addresses come and go by the hour, and nobody types them.
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() && len(n.IPs) < mostNames {
			n.IPs = append(n.IPs, ip.IP)
		}
	}
	return n
}
