package relay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Said is an error of a far end that gave its reason. The words come from the
// network: they are cleaned here, and redacted where they are shown.
type Said struct {
	Class error // one of the sentinels
	Text  string
}

// Say makes a Said.
func Say(class error, text string) error { return &Said{Class: class, Text: Words(text)} }

func (s *Said) Error() string {
	if s.Text == "" {
		return s.Class.Error()
	}
	return s.Class.Error() + ": " + s.Text
}

func (s *Said) Unwrap() error { return s.Class }

// class is what an error asks for.
type class uint8

const (
	network     class = iota // try again, for ever
	stalled                  // the same, with other words
	refused                  // don't try again
	busy                     // refused, but an old session of ours may be the reason
	unsupported              // wait for the program to change
	hungUp                   // closed soon after it agreed: refused after a few times
)

// soon is how quickly after agreeing a server closes that never meant it: nginx-rtmp
// with "deny publish" answers Publish.Start and closes; others ask their key
// database first, and that takes them a moment.
const soon = 5 * time.Second

// classify says what err of an attempt asks for.
func classify(err error, link *Link, ended time.Time) class {
	var verify *tls.CertificateVerificationError
	switch {
	case errors.Is(err, ErrUnsupported):
		return unsupported
	case errors.Is(err, ErrRefused):
		if text := strings.ToLower(err.Error()); strings.Contains(text, "already") || strings.Contains(text, "in use") {
			return busy
		}
		return refused
	case errors.Is(err, ErrStalled):
		return stalled
	case errors.As(err, &verify):
		return refused
	}
	if at := link.acceptedAt(); !at.IsZero() && !link.IsLive() && ended.Sub(at) < soon {
		return hungUp
	}
	return network
}

// explain is one plain sentence about err, for an operator who knows the
// destination as who.
func explain(who, host string, err error) string {
	var said *Said
	var dns *net.DNSError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	timeout, isNet := err, net.Error(nil)
	switch {
	case errors.Is(err, ErrRefused):
		if errors.As(err, &said) && said.Text != "" {
			return fmt.Sprintf("%s refused the stream: %s", who, said.Text)
		}
		return fmt.Sprintf("%s refused the stream: the key or the address is wrong", who)
	case errors.Is(err, ErrUnsupported):
		if errors.As(err, &said) && said.Text != "" {
			return fmt.Sprintf("%s can't take the program: %s", who, said.Text)
		}
		return fmt.Sprintf("%s can't take the program as it is coded", who)
	case errors.Is(err, ErrStalled):
		return who + " stopped taking data"
	case errors.As(err, &verify):
		return fmt.Sprintf("%s showed a certificate that is not valid for %s: %s", who, host, certificate(verify.Err))
	case errors.As(err, &record):
		return fmt.Sprintf("%s takes no encrypted connections on this port: use its other port, or an address without encryption", who)
	case errors.As(err, &alert):
		return fmt.Sprintf("%s: no encrypted connection could be agreed on", who)
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return fmt.Sprintf("%s: there is no host named %s", who, host)
		}
		return fmt.Sprintf("%s: the name %s could not be looked up", who, host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("%s: nothing accepts connections at %s", who, host)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN), errors.Is(err, syscall.EHOSTDOWN):
		return fmt.Sprintf("%s: there is no way to %s from this machine's network", who, host)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(timeout, &isNet) && isNet.Timeout():
		return who + " does not answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, syscall.ECONNABORTED), errors.Is(err, net.ErrClosed):
		return who + " closed the connection"
	}
	return fmt.Sprintf("%s: %s", who, bare(err))
}

// bare is what an error says without the names of system calls and sockets around it.
func bare(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) {
		return Words(err.Error())
	}
	err = op.Err
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	return "the connection failed: " + Words(err.Error())
}

// certificate says in words what is wrong with one.
func certificate(err error) string {
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return "it belongs to another host"
	case errors.As(err, &unknown):
		return "nobody this machine trusts signed it"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or this machine's clock is wrong"
	}
	return Words(err.Error())
}
