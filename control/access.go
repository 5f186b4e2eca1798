package control

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash/maphash"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// automation is whose the token of the -token flag is.
const automation = "automation"

// Bounds of what a peer may show as a token, and of how often one may be wrong.
const (
	longestToken  = 256
	wrongAtOnce   = 10
	wrongEvery    = time.Second
	addressGroups = 1024

	refusalsEvery  = 5 * time.Second
	refusalsAtOnce = 5
)

// newSecret is a secret of 256 random bits that fits in a URL.
func newSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// newKey is a stream key: 128 random bits, short enough to be typed into a camera.
func newKey() string {
	b := make([]byte, 16)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// same compares two secrets in a time that says nothing about them.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// access says who somebody is by the token they show.
type access struct {
	book  *book
	flag  string // hash of the -token flag; "" without one
	weak  bool   // the flag's token could be guessed
	wrong wrong

	knocks *rate.Limiter // of refusals that are told
	floods floods
}

func newAccess(b *book, token string) *access {
	a := &access{book: b, weak: len(token) < 32, knocks: rate.NewLimiter(rate.Every(refusalsEvery), refusalsAtOnce)}
	if token != "" {
		a.flag = hashOf(token)
	}
	a.wrong.seed = maphash.MakeSeed()
	return a
}

// who is whose token it is. ErrUnauthorised, or ErrTooMany for an address that was
// wrong too often. Our own tokens can't be guessed, so they are never turned away:
// somebody who guesses from the same office can't lock an operator out.
func (a *access) who(token, remote string) (You, error) {
	if token == "" || len(token) > longestToken {
		return You{}, ErrUnauthorised
	}
	hash := hashOf(token)
	var you You
	found := false
	a.book.read(func(_ *kept, s *secrets) {
		for i := range s.Tokens {
			if t := &s.Tokens[i]; subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) == 1 {
				you, found = You{t.Name, t.Role}, true
			}
		}
	})
	if found {
		return you, nil
	}
	flag := a.flag != "" && subtle.ConstantTimeCompare([]byte(a.flag), []byte(hash)) == 1
	switch {
	case flag && !a.weak:
		return You{automation, Admin}, nil
	case !a.wrong.may(remote):
		return You{}, ErrTooMany
	case flag:
		return You{automation, Admin}, nil
	}
	a.wrong.note(remote)
	return You{}, ErrUnauthorised
}

// wrong counts failed logins by address, in a fixed space: addresses share groups.
type wrong struct {
	seed   maphash.Seed
	mu     sync.Mutex
	groups [addressGroups]*rate.Limiter
}

// group is the limiter of an address; w.mu is held.
func (w *wrong) group(remote string) *rate.Limiter {
	i := maphash.String(w.seed, network(remote)) % addressGroups
	if w.groups[i] == nil {
		w.groups[i] = rate.NewLimiter(rate.Every(wrongEvery), wrongAtOnce)
	}
	return w.groups[i]
}

func (w *wrong) may(remote string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.group(remote).Tokens() >= 1
}

func (w *wrong) note(remote string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.group(remote).Allow()
}

// network is the part of an address that one person has: of IPv6, the first 64 bits.
func network(remote string) string {
	addr := address(remote)
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// address is the IP of host:port; the zero address when there is none.
func address(remote string) netip.Addr {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// elsewhereAddr is an address that is not this machine's, of nobody in particular.
const elsewhereAddr = "0.0.0.0:0"

// remote is the host:port a request comes from. A proxy on this machine speaks for
// others, who have not the rights of this machine: they are who it says came to it,
// which is last in the header (RFC 7239, 5.2, for the one of its own). So does a browser
// on this machine for a page whose name was made to lead here: it asks by that name.
func remote(r *http.Request) string {
	passed := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	if !loopback(r.RemoteAddr) || passed == "" && r.Header.Get("Forwarded") == "" && asksHere(r.Host) {
		return r.RemoteAddr
	}
	last := address(strings.TrimSpace(passed[strings.LastIndexByte(passed, ',')+1:]))
	if !last.IsValid() || last.IsLoopback() {
		return elsewhereAddr
	}
	return netip.AddrPortFrom(last, 0).String()
}

// asksHere reports whether a request's Host is a name that only this machine has for
// itself.
func asksHere(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && addr.IsLoopback()
}

// loopback reports whether a peer is on this machine.
func loopback(remote string) bool { return address(remote).IsLoopback() }
