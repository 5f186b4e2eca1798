package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestTURNPasswordsAreMadeAsCoturnChecksThem(t *testing.T) {
	name, password := temporaryPassword("north", "obvan", time.Unix(1_700_000_000, 0))
	// printf 1700043200:obvan | openssl dgst -sha1 -hmac north -binary | base64
	if name != "1700043200:obvan" || password != "U+mTKGmbVazLqvE4r3SWj75Nnao=" {
		t.Errorf("%s %s", name, password)
	}
	if got := quoted(`a"b\c`); got != `"a\"b\\c"` {
		t.Error(got)
	}
}

// startSTUN is a server that sees everybody come from at; the first request is lost.
func startSTUN(t *testing.T, at string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for asked := 0; ; asked++ {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			ask := &stun.Message{Raw: buf[:n]}
			if asked == 0 || ask.Decode() != nil {
				continue
			}
			answer := stun.MustBuild(ask, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.ParseIP(at), Port: 4242})
			conn.WriteTo(answer.Raw, from)
		}
	}()
	return conn.LocalAddr().String()
}

func TestThePublicAddressIsReadFromASTUNServer(t *testing.T) {
	n := network{public: "198.51.100.1", stun: startSTUN(t, "203.0.113.7")}
	reported := make(chan []netip.Addr, 8)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- n.follow(ctx, func(all []netip.Addr) error { reported <- all; return nil }, slog.New(slog.DiscardHandler))
	}()
	fixed := netip.MustParseAddr("198.51.100.1")
	if first := <-reported; !slices.Equal(first, []netip.Addr{fixed}) {
		t.Errorf("at first: %v", first)
	}
	if second := <-reported; !slices.Equal(second, []netip.Addr{fixed, netip.MustParseAddr("203.0.113.7")}) {
		t.Errorf("then: %v", second)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A certificate is requested, and the challenge answered, for this host name only.
func TestACMEIsUsedForItsHostOnly(t *testing.T) {
	s, err := certificate{acme: "studio.example", challenge: "127.0.0.1:0", auto: "off"}.load(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.challenge.Close()
	for _, name := range []string{"", "10.0.0.7", "other.example"} {
		pair, err := s.config.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil || pair.Leaf.Subject.CommonName != "OB Van" {
			t.Errorf("%q: %v", name, err)
		}
	}
	if !slices.Contains(s.config.NextProtos, "acme-tls/1") {
		t.Errorf("the authority can't send its challenge to the https port: %v", s.config.NextProtos)
	}
	w := httptest.NewRecorder()
	s.answer.ServeHTTP(w, httptest.NewRequest("GET", "http://studio.example/camera", nil))
	if w.Code != http.StatusFound || w.Header().Get("Location") != "https://studio.example/camera" {
		t.Errorf("plain http: %d %s", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	s.answer.ServeHTTP(w, httptest.NewRequest("GET", "http://other.example/.well-known/acme-challenge/x", nil))
	if w.Code != http.StatusForbidden {
		t.Errorf("a challenge for another host: %d", w.Code)
	}
}
