package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"obvan/internal/cert"
	"obvan/internal/listen"
)

// certificate is the one of https, RTMPS and RTSPS, as the flags say.
type certificate struct {
	auto      string // -tls: auto or off
	cert, key string
	acme      string // the host to get one for
	challenge string // where the authority connects to (ACME HTTP-01, RFC 8555, 8.3)
	directory string // the authority's (RFC 8555, 7.1.1); "" is Let's Encrypt
}

// check says what is wrong with the flags together.
func (c certificate) check() error {
	chosen := 0
	for _, is := range []bool{c.auto == "auto", c.cert != "", c.acme != ""} {
		if is {
			chosen++
		}
	}
	switch {
	case c.auto != "auto" && c.auto != "off":
		return fmt.Errorf("-tls %s: use auto (a self-signed certificate) or off", c.auto)
	case (c.cert == "") != (c.key == ""):
		return errors.New("-tls-cert and -tls-key go together: set both or neither")
	case chosen > 1:
		return errors.New("choose one of -tls auto, -tls-cert with -tls-key, and -acme")
	case c.acme != "" && (strings.ContainsAny(c.acme, ":/ ") || net.ParseIP(c.acme) != nil || !strings.Contains(c.acme, ".")):
		return fmt.Errorf("-acme %s: it must be the public name of this host, such as studio.example.com", c.acme)
	}
	return nil
}

// secure is how the server listens with a certificate; nil without one.
type secure struct {
	config     *tls.Config
	selfSigned bool // browsers warn about the certificate
	// For -acme: answers the authority, and redirects everyone else to https.
	challenge net.Listener
	answer    http.Handler
}

// load reads, makes or requests the certificate; nil without one. What is stored is in the
// data directory.
func (c certificate) load(data string, log *slog.Logger) (*secure, error) {
	switch {
	case c.acme != "":
		return c.loadACME(data)
	case c.auto == "auto":
		selfSigned, err := cert.OpenSelfSigned(filepath.Join(data, "tls"), cert.Local)
		if err != nil {
			return nil, fmt.Errorf("-tls auto: %w", err)
		}
		return &secure{config: selfSigned.Config(), selfSigned: true}, nil
	case c.cert != "":
		files, err := cert.FollowFiles(c.cert, c.key, log)
		if err != nil {
			return nil, fmt.Errorf("-tls-cert, -tls-key: %w", err)
		}
		return &secure{config: files.Config()}, nil
	}
	return nil, nil
}

// loadACME gets certificates from an authority (RFC 8555) for one name. Clients that use
// another name, or an address, get the self-signed certificate.
func (c certificate) loadACME(data string) (*secure, error) {
	selfSigned, err := cert.OpenSelfSigned(filepath.Join(data, "tls"), cert.Local)
	if err != nil {
		return nil, fmt.Errorf("-acme: %w", err)
	}
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, HostPolicy: autocert.HostWhitelist(c.acme), Cache: autocert.DirCache(filepath.Join(data, "acme"))}
	if c.directory != "" {
		m.Client = &acme.Client{DirectoryURL: c.directory}
	}
	s := &secure{answer: m.HTTPHandler(nil)}
	s.config = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1", acme.ALPNProto}}
	s.config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if !strings.EqualFold(strings.TrimSuffix(hello.ServerName, "."), c.acme) {
			return selfSigned.Get(hello)
		}
		return m.GetCertificate(hello)
	}
	if s.challenge, err = net.Listen("tcp", c.challenge); err != nil {
		return nil, fmt.Errorf("-acme-http: the authority connects to port 80: %w", err)
	}
	return s, nil
}

// tls is the configuration; nil without a certificate.
func (s *secure) tls() *tls.Config {
	if s == nil {
		return nil
	}
	return s.config
}

// listener is l with https; plain http is redirected to it.
func (s *secure) listener(l net.Listener) net.Listener {
	if s == nil {
		return l
	}
	return tls.NewListener(listen.ToHTTPS{Listener: l}, s.config)
}

// serveChallenge answers the certificate authority until ctx is done.
func (s *secure) serveChallenge(ctx context.Context) error {
	server := &http.Server{Handler: s.answer, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(s.challenge); ctx.Err() == nil {
		return err
	}
	return nil
}
