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

// met is how well a far end is known when an attempt fails: what to look at first.
type serverHistory uint8

const (
	neverAccepted  serverHistory = iota // it never agreed to anything: the address may be wrong
	acceptedBefore                      // it did, this time
	wasLive                             // it was live at this address: the address is right
)

// failure is how an attempt ended.
type failure struct {
	err      error
	kind     failureKind
	host     string
	server   serverHistory
	repeated bool // it is not the first one, and not the second
}

// explain is what is wrong, and where that helps what there is to do about it, in one
// sentence for an operator who knows the destination as who.
func explain(who string, f failure) string {
	text := ""
	if remote := (*RemoteError)(nil); errors.As(f.err, &remote) {
		text = strings.TrimRight(remote.Text, ". ")
	}
	switch err := f.err; {
	case errors.Is(err, ErrInvalidAddress):
		return fmt.Sprintf("%s: its address can't be used: %s", who, text)
	case errors.Is(err, ErrRefused) && text == "":
		return who + " refused the stream: the key or the address is wrong: copy both from its page anew"
	case f.kind == busy:
		return fmt.Sprintf("%s refused the stream: %s. Somebody else sends with this key, or its last session has not ended yet", who, text)
	case errors.Is(err, ErrRefused):
		return fmt.Sprintf("%s refused the stream: %s. Check its key and its address", who, text)
	case errors.Is(err, ErrUnsupported) && text == "":
		return who + " can't take the program as it is coded: set the program's encoder to H264 and AAC"
	case errors.Is(err, ErrUnsupported):
		return fmt.Sprintf("%s can't take the program: %s", who, text)
	case errors.Is(err, ErrStalled):
		return who + " stopped taking data: its server is stuck, or the network on the way to it"
	case f.kind == closedEarly:
		return who + " agrees to take the stream and closes the connection at once: the stream key may be wrong, or the show is not open there; check both on its page"
	}
	for _, in := range []func(string, failure) string{tlsText, unreachableText, closedText} {
		if s := in(who, f); s != "" {
			return s
		}
	}
	return fmt.Sprintf("%s: %s", who, shortText(f.err))
}

// unsafe is a sentence when no encrypted connection came about, else "".
func tlsText(who string, f failure) string {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	switch {
	case errors.As(f.err, &verify):
		return fmt.Sprintf("%s showed a certificate that is not valid for %s: %s", who, f.host, certificateText(verify.Err))
	case errors.As(f.err, &record):
		return who + " takes no encrypted connections on this port: use its other port, or an address without encryption"
	case errors.As(f.err, &alert):
		return who + ": no encrypted connection could be agreed on: ask who runs it which TLS it wants, or use an address without encryption"
	}
	return ""
}

// unreached is a sentence when there was nobody to talk to, else "".
func unreachableText(who string, f failure) string {
	var dns *net.DNSError
	timeout, isNet := f.err, net.Error(nil)
	var what, do string
	switch err := f.err; {
	case errors.As(err, &dns) && dns.IsNotFound:
		what, do = ": there is no host named "+f.host, "check how the address is spelt"
		if f.server == wasLive {
			do = "it was there before, so look at this machine's network"
		}
	case errors.As(err, &dns):
		what, do = fmt.Sprintf(": the name %s could not be looked up", f.host), "is this machine on the internet?"
	case errors.Is(err, syscall.ECONNREFUSED):
		what, do = ": nothing accepts connections at "+f.host, "check the address and its port"
		if f.server == wasLive {
			do = "its server is down, or restarts"
		}
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN), errors.Is(err, syscall.EHOSTDOWN):
		what, do = fmt.Sprintf(": there is no way to %s from this machine's network", f.host), "check its cable, wifi and router"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(timeout, &isNet) && isNet.Timeout():
		what, do = " does not answer", "check the address and its port, and that no firewall is in the way"
		if f.server != neverAccepted {
			do = "its server is stuck, or the network on the way to it"
		}
	default:
		return ""
	}
	return who + what + ": " + do
}

// broken is a sentence when a connection ended, else "".
func closedText(who string, f failure) string {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, net.ErrClosed} {
		switch {
		case !errors.Is(f.err, end):
		case f.server == neverAccepted:
			return who + " closed the connection before it agreed to anything: check the address and its port, and whether it wants encryption (rtmps, https)"
		case f.repeated:
			return who + " closed the connection, again and again: look there whether the show has ended, or somebody else sends to it"
		default:
			return who + " closed the connection"
		}
	}
	return ""
}

// stages is what outputs were doing, which helps who reads a log.
var stagePrefixes = [...]string{"connect: ", "handshake: ", "create the stream: ", "publish: ", "talk: ", "send: ", "receive: "}

// bare is what an error says without the names of system calls and sockets around it.
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
		do = ": a firewall on this machine may forbid it"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		do = ": this machine has no room for one more; end what is not needed"
	}
	err = op.Err
	if call := (*os.SyscallError)(nil); errors.As(err, &call) {
		err = call.Err
	}
	return "the connection failed: " + CleanText(err.Error()) + do
}

// certificate says in words what is wrong with one.
func certificateText(err error) string {
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return "it belongs to another host: check the address"
	case errors.As(err, &unknown):
		return "nobody this machine trusts signed it: check the address, or have this machine trust who signed it"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "it has expired, or this machine's clock is wrong: look at the clock first, then tell who runs the server"
	}
	return CleanText(err.Error())
}
