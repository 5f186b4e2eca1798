// Package auth says who a client is: tokens, roles, and rate limits.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"obvan/control"
)

// Automation is the name of whoever has the token of the -token flag.
const Automation = "automation"

// maxToken bounds what a peer may show as a token.
const maxToken = 256

// guessable is the length below which a token of the -token flag could be guessed.
const guessable = 32

// Token is a token without its secret.
type Token struct {
	Name    string       `json:"name"` // whose it is
	Role    control.Role `json:"role"`
	Hash    string       `json:"hash"` // of Hash
	Created time.Time    `json:"created"`
}

// NewToken is a token of 256 random bits that fits in a URL.
func NewToken() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// NewKey is a stream key: 128 random bits, short enough to be typed into a camera.
func NewKey() string {
	b := make([]byte, 16)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Hash is what is stored of a token: SHA-256, in hex. A token has 256 random bits, so it
// needs no salt and no slow hash.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// Same compares two secrets in a time that says nothing about them.
func Same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Access says who a client is by its token.
type Access struct {
	tokens   func() []Token
	flag     string // hash of the -token flag; "" without one
	flagWeak bool   // the flag's token could be guessed
	logins   *loginLimit
	refusals *rate.Limiter // of those that are logged
	commands commandLimits

	mu      sync.Mutex
	revoked []func(name string)
}

// New makes an Access with the tokens that are valid now, and the one of the -token flag.
func New(tokens func() []Token, flag string) *Access {
	a := &Access{tokens: tokens, flagWeak: len(flag) < guessable, logins: newLoginLimit(), refusals: newRefusalLogLimit()}
	if flag != "" {
		a.flag = Hash(flag)
	}
	return a
}

// Who is whose token it is. ErrUnauthorised, or ErrTooMany for an address with too many wrong
// tokens. Generated tokens can't be guessed, so they are never rate limited: someone who
// guesses from the same office can't lock an operator out.
func (a *Access) Who(token, remote string) (control.You, error) {
	if token == "" || len(token) > maxToken {
		return control.You{}, control.ErrUnauthorised
	}
	hash := Hash(token)
	var you control.You
	found := false
	for _, t := range a.tokens() {
		if subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) == 1 {
			you, found = control.You{Name: t.Name, Role: t.Role}, true
		}
	}
	if found {
		return you, nil
	}
	flag := a.flag != "" && subtle.ConstantTimeCompare([]byte(a.flag), []byte(hash)) == 1
	switch {
	case flag && !a.flagWeak:
		return control.You{Name: Automation, Role: control.Admin}, nil
	case !a.logins.allowed(remote):
		return control.You{}, control.ErrTooMany
	case flag:
		return control.You{Name: Automation, Role: control.Admin}, nil
	}
	a.logins.failed(remote)
	return control.You{}, control.ErrUnauthorised
}

// OnRevoke has f called with the name of each token that is revoked from now on.
func (a *Access) OnRevoke(f func(name string)) {
	a.mu.Lock()
	a.revoked = append(a.revoked, f)
	a.mu.Unlock()
}

// Revoked reports that a token is no longer valid: whoever serves clients closes its
// connections.
func (a *Access) Revoked(name string) {
	a.mu.Lock()
	all := slices.Clone(a.revoked)
	a.mu.Unlock()
	for _, f := range all {
		f(name)
	}
	a.commands.forget(name)
}
