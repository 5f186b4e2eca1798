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
)

// serverHistory is what is known about a server when an attempt fails; it decides what
// the operator should check first.
type serverHistory uint8

const (
	neverAccepted  serverHistory = iota // it has never accepted anything: the address may be wrong
	acceptedBefore                      // it accepted this time
	wasLive                             // it was live at this address: the address is right
)

// failure is how an attempt ended.
type failure struct {
	err      error
	kind     failureKind
	host     string
	server   serverHistory
	repeated bool // not the first failure, and not the second
}

// explain says what is wrong, and where it helps what to do about it, in one sentence for
// an operator. who is what the operator calls the destination.
func explain(who string, f failure) string {
	text := ""
	if remote := (*RemoteError)(nil); errors.As(f.err, &remote) {
		text = strings.TrimRight(remote.Text, ". ")
	}
	switch err := f.err; {
	case errors.Is(err, ErrInvalidAddress):
		return fmt.Sprintf("%s: invalid address: %s", who, text)
	case errors.Is(err, ErrRefused) && text == "":
		return who + " refused the stream: wrong stream key or URL: copy both again from the platform's page"
	case f.kind == busy:
		return fmt.Sprintf("%s refused the stream: %s. This key is already in use, or the previous session has not timed out yet", who, text)
	case errors.Is(err, ErrRefused):
		return fmt.Sprintf("%s refused the stream: %s. Check the stream key and the URL", who, text)
	case errors.Is(err, ErrUnsupported) && text == "":
		return who + " doesn't support the program's codecs: set the encoder to H.264 and AAC"
	case errors.Is(err, ErrUnsupported):
		return fmt.Sprintf("%s can't accept the program: %s", who, text)
	case errors.Is(err, ErrStalled):
		return who + " is no longer receiving data: its server or the network path is stalled"
	case f.kind == closedEarly:
		return who + " accepts the stream and closes the connection at once: the stream key may be wrong, or the event is not open there; check both on the platform's page"
	}
	for _, in := range []func(string, failure) string{tlsText, unreachableText, closedText} {
		if s := in(who, f); s != "" {
			return s
		}
	}
	return fmt.Sprintf("%s: %s", who, shortText(f.err))
}

// tlsText is a sentence when no encrypted connection could be made, else "".
func tlsText(who string, f failure) string {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(f.err, &verify):
		return fmt.Sprintf("%s presented a certificate that is not valid for %s: %s", who, f.host, certificateText(verify.Err))
	case errors.As(f.err, &record):
		return who + " does not accept encrypted connections on this port: use its other port, or an address without encryption"
	case errors.As(f.err, &alert):
		return who + ": the TLS handshake failed: ask its operator which TLS versions it accepts, or use an address without encryption"
	}
	return ""
}

// unreachableText is a sentence when the server could not be reached, else "".
func unreachableText(who string, f failure) string {
	var dns *net.DNSError
	timeout, isNet := f.err, net.Error(nil)
	var what, do string
	switch err := f.err; {
	case errors.As(err, &dns) && dns.IsNotFound:
		what, do = ": there is no host named "+f.host, "check the spelling of the address"
		if f.server == wasLive {
			do = "it was found before, so check this machine's network"
		}
	case errors.As(err, &dns):
		what, do = fmt.Sprintf(": the name %s could not be looked up", f.host), "is this machine connected to the internet?"
	case errors.Is(err, syscall.ECONNREFUSED):
		what, do = ": nothing accepts connections at "+f.host, "check the address and the port"
		if f.server == wasLive {
			do = "its server is down or restarting"
		}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN), errors.Is(err, syscall.EHOSTDOWN):
		what, do = fmt.Sprintf(": %s can't be reached from this machine's network", f.host), "check its cable, Wi-Fi and router"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(timeout, &isNet) && isNet.Timeout():
		what, do = " does not answer", "check the address and the port, and that no firewall blocks it"
		if f.server != neverAccepted {
			do = "its server or the network path is stalled"
		}
	default:
		return ""
	}
	return who + what + ": " + do
}

// closedText is a sentence when a connection ended, else "".
func closedText(who string, f failure) string {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, net.ErrClosed} {
		switch {
		case !errors.Is(f.err, end):
		case f.server == neverAccepted:
			return who + " closed the connection before it accepted anything: check the address and the port, and whether it requires encryption (rtmps, https)"
		case f.repeated:
			return who + " keeps closing the connection: check there whether the show has ended, or someone else is sending to it"
		default:
			return who + " closed the connection"
		}
	}
	return ""
}

// stagePrefixes are what outputs put before an error to say what they were doing: useful
// in a log, not in a sentence.
var stagePrefixes = [...]string{"connect: ", "handshake: ", "create the stream: ", "publish: ", "session: ", "send: ", "receive: "}

// shortText is an error's text without the names of system calls and sockets around it.
func shortText(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) {
		text := CleanText(err.Error())
		for _, stage := range stagePrefixes {
			text = strings.TrimPrefix(text, stage)
		}
		return text
	}
	do := ""
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		do = ": a firewall on this machine may block it"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		do = ": this machine has reached its limit of open files; close what is not needed"
	}
	err = op.Err
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	return "the connection failed: " + CleanText(err.Error()) + do
}

// certificateText says what is wrong with a certificate.
func certificateText(err error) string {
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return "it belongs to another host: check the address"
	case errors.As(err, &unknown):
		return "it is not signed by an authority that this machine trusts: check the address, or add that authority to this machine's trusted certificates"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or this machine's clock is wrong: check the clock first, then tell the server's operator"
	}
	return CleanText(err.Error())
}
