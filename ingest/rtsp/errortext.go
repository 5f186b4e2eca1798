package rtsp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"obvan/ingest"
	"obvan/internal/redact"
)

// requiresUDP reports whether a camera refused to send over the connection.
func requiresUDP(err error) bool {
	var status liberrors.ErrClientBadStatusCode
	var udp liberrors.ErrClientServerRequestedUDP
	return errors.As(err, &udp) || (errors.As(err, &status) && status.Code == base.StatusUnsupportedTransport)
}

// errorText says what went wrong so that an operator knows what to do. Unknown errors
// stay as they are, without the password.
func errorText(err error, u *url.URL) error {
	var status liberrors.ErrClientBadStatusCode
	if errors.As(err, &status) {
		return statusText(status.Code, u)
	}
	var dns *net.DNSError
	var timeout net.Error
	var unknown x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var invalid x509.CertificateInvalidError
	var noTLS tls.RecordHeaderError
	switch {
	case isA[liberrors.ErrClientAuthSetup](err):
		return reworded{ingest.ErrCredentials, "the camera requires an authentication method that is not supported"}
	case isA[liberrors.ErrClientTCPTimeout](err), isA[liberrors.ErrClientUDPTimeout](err):
		return errSilent
	case isA[liberrors.ErrClientSDPInvalid](err):
		return errors.New("the camera's stream description (SDP) is invalid")
	case errors.As(err, &dns):
		return fmt.Errorf("no host named %s", u.Hostname())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("connection refused by %s", u.Host)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Errorf("%s can't be reached from this network", u.Host)
	case errors.As(err, &unknown), errors.As(err, &wrongName), errors.As(err, &invalid):
		return errors.New("the camera's certificate is not trusted; add ?insecure=1 to its address to accept it")
	case errors.As(err, &noTLS):
		return fmt.Errorf("%s responds, but may not support TLS", u.Host)
	case isA[liberrors.ErrClientRequestTimedOut](err), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		if u.Scheme == "rtsps" {
			return fmt.Errorf("no response from %s; it may not support TLS", u.Host)
		}
		return fmt.Errorf("no response from %s", u.Host)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed):
		if u.Scheme == "rtsps" {
			return errors.New("the camera closed the connection; it may not support TLS")
		}
		return errors.New("the camera closed the connection")
	}
	return withoutPassword(err, u)
}

func isA[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func statusText(code base.StatusCode, u *url.URL) error {
	switch code {
	case base.StatusUnauthorized, base.StatusForbidden:
		if u.User == nil {
			return reworded{ingest.ErrCredentials, "the camera requires a user name and a password"}
		}
		return reworded{ingest.ErrCredentials, "the camera refused the user name or the password"}
	case base.StatusNotFound:
		return fmt.Errorf("the camera has no stream %q", u.Path)
	case base.StatusUnsupportedTransport:
		return errors.New("the camera supports neither TCP nor UDP transport")
	case base.StatusNotEnoughBandwidth, base.StatusServiceUnavailable:
		return errors.New("the camera is busy: it may have reached its limit of viewers")
	}
	return fmt.Errorf("the camera responds with %d %s", code, base.StatusMessages[code])
}

// reworded is an error with another text; it still wraps the original.
type reworded struct {
	error
	text string
}

func (p reworded) Error() string { return p.text }
func (p reworded) Unwrap() error { return p.error }

func withoutPassword(err error, u *url.URL) error {
	password, ok := u.User.Password()
	if !ok || password == "" {
		return err
	}
	return reworded{err, redact.Text(err.Error(), password)}
}
