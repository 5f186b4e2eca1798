package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
)

// authority is a certificate authority (RFC 8555) for one host. It sends its challenge over
// HTTP, to the address that the host's name would resolve to.
type authority struct {
	*httptest.Server
	host, challenged string // its name, and the address that the challenge is sent to
	key              *ecdsa.PrivateKey
	root             *x509.Certificate

	mu    sync.Mutex
	print string // thumbprint of the account's key (RFC 7638)
	valid bool   // the host has answered the challenge
	chain []byte // what was issued
	count int    // how many were issued
}

func startAuthority(t *testing.T, host string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{host: host, key: key, root: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, a.root, a.root, key.Public(), key)
	if err == nil {
		a.root, err = x509.ParseCertificate(der)
	}
	if err != nil {
		t.Fatal(err)
	}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

const challengeToken = "token-of-the-challenge"

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Replay-Nonce", rand.Text())
	payload := a.read(r)
	respond := func(code int, what map[string]any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(what)
	}
	status := func() string {
		if a.valid {
			return "valid"
		}
		return "pending"
	}
	id := map[string]any{"type": "dns", "value": a.host}
	challenge := map[string]any{"type": "http-01", "url": a.URL + "/challenge", "token": challengeToken}
	order := map[string]any{"status": "pending", "identifiers": []any{id}, "authorizations": []string{a.URL + "/authz"}, "finalize": a.URL + "/finalize"}
	switch r.URL.Path {
	case "/directory":
		respond(200, map[string]any{"newNonce": a.URL + "/nonce", "newAccount": a.URL + "/account", "newOrder": a.URL + "/new", "revokeCert": a.URL + "/revoke"})
	case "/nonce":
	case "/account":
		w.Header().Set("Location", a.URL+"/account/1")
		respond(201, map[string]any{"status": "valid"})
	case "/new":
		w.Header().Set("Location", a.URL+"/order")
		respond(201, order)
	case "/authz":
		challenge["status"] = status()
		respond(200, map[string]any{"status": status(), "identifier": id, "challenges": []any{challenge}})
	case "/challenge":
		a.valid = a.valid || a.ask()
		challenge["status"] = status()
		respond(200, challenge)
	case "/finalize":
		if err := a.issue(payload); err != nil {
			respond(400, map[string]any{"type": "urn:ietf:params:acme:error:badCSR", "detail": err.Error()})
			return
		}
		fallthrough
	case "/order":
		w.Header().Set("Location", a.URL+"/order")
		switch {
		case a.chain != nil:
			order["status"], order["certificate"] = "valid", a.URL+"/cert"
		case a.valid:
			order["status"] = "ready"
		}
		respond(200, order)
	case "/cert":
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		_, _ = w.Write(a.chain)
	default:
		respond(404, map[string]any{"detail": r.URL.Path})
	}
}

// read reads a request's envelope (6.2). It does not verify the signatures.
func (a *authority) read(r *http.Request) (payload []byte) {
	var envelope struct{ Protected, Payload string }
	if r.Method != http.MethodPost || json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&envelope) != nil {
		return nil
	}
	header, _ := base64.RawURLEncoding.DecodeString(envelope.Protected)
	var by struct{ JWK struct{ Crv, X, Y string } }
	if json.Unmarshal(header, &by) == nil && by.JWK.X != "" {
		x, _ := base64.RawURLEncoding.DecodeString(by.JWK.X)
		y, _ := base64.RawURLEncoding.DecodeString(by.JWK.Y)
		a.print, _ = acme.JWKThumbprint(&ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)})
	}
	payload, _ = base64.RawURLEncoding.DecodeString(envelope.Payload)
	return payload
}

// ask sends the challenge, which only the host can answer (8.3).
func (a *authority) ask() bool {
	req, err := http.NewRequest("GET", "http://"+a.challenged+"/.well-known/acme-challenge/"+challengeToken, nil)
	if err != nil {
		return false
	}
	req.Host, req.Close = a.host, true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return err == nil && resp.StatusCode == 200 && string(answer) == challengeToken+"."+a.print
}

// issue signs the requested certificate (7.4).
func (a *authority) issue(payload []byte) error {
	var request struct{ CSR string }
	if err := json.Unmarshal(payload, &request); err != nil || !a.valid {
		return fmt.Errorf("the host has not answered the challenge: %w", err)
	}
	der, err := base64.RawURLEncoding.DecodeString(request.CSR)
	if err != nil {
		return err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return err
	}
	a.count++
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(int64(1 + a.count)), Subject: csr.Subject, DNSNames: csr.DNSNames, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(80 * 24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if der, err = x509.CreateCertificate(rand.Reader, leaf, a.root, csr.PublicKey, a.key); err != nil {
		return err
	}
	a.chain = bytes.Join([][]byte{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})}, nil)
	return nil
}

// served is the certificate that a client who trusts the authority gets from the server.
func (a *authority) served(t *testing.T, s *secure) *x509.Certificate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	handshake := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = tls.Server(conn, s.config).Handshake()
			conn.Close()
		}
		handshake <- err
	}()
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", l.Addr().String(), &tls.Config{ServerName: a.host, RootCAs: roots})
	if err != nil {
		t.Fatalf("%v; the server: %v", err, <-handshake)
	}
	defer conn.Close()
	if err := <-handshake; err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState().PeerCertificates[0]
}

func TestAnACMECertificateIsRequestedServedAndStored(t *testing.T) {
	defer http.DefaultClient.CloseIdleConnections()
	ca, data := startAuthority(t, "studio.example"), t.TempDir()
	flags := certificate{auto: "off", acme: "studio.example", challenge: "127.0.0.1:0", directory: ca.URL + "/directory"}
	s, err := flags.load(data, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ca.mu.Lock()
	ca.challenged = s.challenge.Addr().String()
	ca.mu.Unlock()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.serveChallenge(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	got := ca.served(t, s)
	if got.VerifyHostname("studio.example") != nil {
		t.Errorf("it is for %v", got.DNSNames)
	}
	stored, err := filepath.Glob(filepath.Join(data, "acme", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) < 2 || !strings.Contains(strings.Join(stored, " "), "studio.example") {
		t.Errorf("stored are %v, want the account's key and the certificate", stored)
	}
	for _, path := range stored {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}

	// After a restart the authority is not asked: it may be unreachable, and has rate limits.
	ca.Close()
	again, err := flags.load(data, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer again.challenge.Close()
	if next := ca.served(t, again); !next.Equal(got) {
		t.Error("another certificate is served after a restart")
	}
	if ca.count != 1 {
		t.Errorf("%d certificates were issued", ca.count)
	}
}
