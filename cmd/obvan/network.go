package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"

	"obvan/internal/retry"
)

// network is how browsers reach this server through routers and firewalls, as the flags say.
type network struct {
	public string // addresses of a router in front of the server, comma-separated
	stun   string // host:port of a server that reports that address
	turn   string // turn: URLs, comma-separated, for browsers behind restrictive firewalls

	// Of the environment only: others on the machine can read flags.
	turnUser, turnPassword, turnSecret string
}

// env reads what must not be a flag.
func (n *network) env(env func(string) (string, bool)) {
	n.turnUser, _ = env("OBVAN_TURN_USER")
	n.turnPassword, _ = env("OBVAN_TURN_PASSWORD")
	n.turnSecret, _ = env("OBVAN_TURN_SECRET")
	n.stun = strings.TrimPrefix(n.stun, "stun:")
	if n.stun != "" && !strings.Contains(n.stun, ":") {
		n.stun += ":3478"
	}
}

func (n *network) check() error {
	if _, err := n.addresses(); err != nil {
		return err
	}
	if _, _, err := net.SplitHostPort(n.stun); n.stun != "" && err != nil {
		return fmt.Errorf("-stun: use host or host:port")
	}
	for _, u := range list(n.turn) {
		if !strings.HasPrefix(u, "turn:") && !strings.HasPrefix(u, "turns:") || strings.ContainsAny(u, "<>\"\\ ;@") {
			return errors.New("-turn: use turn:host:port?transport=udp or turns:host:port, without a user: that is OBVAN_TURN_USER")
		}
	}
	if n.turn != "" && n.turnSecret == "" && (n.turnUser == "" || n.turnPassword == "") {
		return errors.New("-turn: put its OBVAN_TURN_SECRET, or OBVAN_TURN_USER and OBVAN_TURN_PASSWORD, in the environment")
	}
	return nil
}

func (n *network) addresses() (all []netip.Addr, err error) {
	for _, text := range list(n.public) {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fmt.Errorf("-public-ip %s: not an IP address", text)
		}
		all = append(all, addr)
	}
	return all, nil
}

func list(flag string) (all []string) {
	for part := range strings.SplitSeq(flag, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// passwordLifetime is how long a password made from the secret is valid.
const passwordLifetime = 12 * time.Hour

// links is the STUN and TURN servers for browsers, as values of Link headers (RFC 9725, 4.6).
func (n *network) links() (all []string) {
	if n.stun != "" {
		all = append(all, fmt.Sprintf(`<stun:%s>; rel="ice-server"`, n.stun))
	}
	user, password := n.turnUser, n.turnPassword
	if n.turnSecret != "" {
		user, password = temporaryPassword(n.turnSecret, n.turnUser, time.Now())
	}
	for _, u := range list(n.turn) {
		all = append(all, fmt.Sprintf(`<%s>; rel="ice-server"; username=%s; credential=%s; credential-type="password"`, u, quoted(user), quoted(password)))
	}
	return all
}

// temporaryPassword is made of a shared secret, as TURN servers do (coturn's
// use-auth-secret): browsers never see the secret itself.
func temporaryPassword(secret, user string, now time.Time) (name, password string) {
	name = strconv.FormatInt(now.Add(passwordLifetime).Unix(), 10)
	if user != "" {
		name += ":" + user
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(name))
	return name, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// quoted is a quoted-string (RFC 9110, 5.6.4).
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

const (
	stunEvery   = 5 * time.Minute
	stunRetry   = 15 * time.Second
	stunTimeout = 500 * time.Millisecond
	stunTries   = 5
)

// follow reports the public addresses, and each change, until ctx is done.
func (n *network) follow(ctx context.Context, public func([]netip.Addr) error, log *slog.Logger) error {
	fixed, _ := n.addresses() // they were checked
	if err := public(fixed); err != nil {
		return err
	}
	if n.stun == "" {
		<-ctx.Done()
		return nil
	}
	var last netip.Addr
	for wait := stunEvery; ; wait = stunEvery {
		seen, err := publicAddress(ctx, n.stun)
		switch {
		case err != nil:
			wait = stunRetry
			log.Warn("public address not known", "stun", n.stun, "err", err)
		case seen != last:
			last = seen
			log.Info("public address", "addr", seen)
			if err := public(append(slices.Clip(fixed), seen)); err != nil {
				return err
			}
		}
		if retry.Sleep(ctx, wait) != nil {
			return nil
		}
	}
}

// publicAddress is the address that a STUN server sees (RFC 8489, 2).
func publicAddress(ctx context.Context, server string) (netip.Addr, error) {
	conn, err := (&net.Dialer{Timeout: stunTimeout}).DialContext(ctx, "udp4", server)
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	ask, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return netip.Addr{}, err
	}
	buf := make([]byte, 1500)
	for range stunTries {
		_ = conn.SetDeadline(time.Now().Add(stunTimeout))
		if _, err = conn.Write(ask.Raw); err != nil {
			return netip.Addr{}, err
		}
		var size int
		if size, err = conn.Read(buf); err != nil {
			continue
		}
		answer := &stun.Message{Raw: buf[:size]}
		var at stun.XORMappedAddress
		if err = answer.Decode(); err != nil || answer.TransactionID != ask.TransactionID {
			continue
		}
		if err = at.GetFrom(answer); err == nil {
			if addr, ok := netip.AddrFromSlice(at.IP); ok {
				return addr.Unmap(), nil
			}
		}
	}
	if err == nil {
		err = errors.New("no valid answer")
	}
	return netip.Addr{}, fmt.Errorf("ask the STUN server: %w", err)
}
