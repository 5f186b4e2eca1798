package relay_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"obvan/relay"
)

func TestEachFailureIsASentenceForAnOperator(t *testing.T) {
	connects := func(err error) error {
		return fmt.Errorf("connect: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
	}
	for want, err := range map[string]error{
		"Twitch refused the stream: no such key. Check the stream key and the URL":                                                     relay.NewRemoteError(relay.ErrRefused, "no such key."),
		"Twitch refused the stream: wrong stream key or URL: copy both again from the platform's page":                                 fmt.Errorf("publish: %w", relay.ErrRefused),
		"Twitch refused the stream: Already publishing. This key is already in use, or the previous session has not timed out yet":     relay.NewRemoteError(relay.ErrRefused, "Already publishing"),
		"Twitch: invalid address: it needs a port: srt://host:port":                                                                    relay.NewRemoteError(relay.ErrInvalidAddress, "it needs a port: srt://host:port"),
		"Twitch can't accept the program: RTMP can't carry AV1; set the encoder to H264":                                               relay.NewRemoteError(relay.ErrUnsupported, "RTMP can't carry AV1; set the encoder to H264"),
		"Twitch doesn't support the program's codecs: set the encoder to H.264 and AAC":                                                relay.ErrUnsupported,
		"Twitch is no longer receiving data: its server or the network path is stalled":                                                fmt.Errorf("%w for 10s", relay.ErrStalled),
		"Twitch closed the connection before it accepted anything: check the address and the port, and whether it requires encryption": connects(syscall.ECONNRESET),
		"Twitch: nothing accepts connections at main: check the address and the port":                                                  connects(syscall.ECONNREFUSED),
		"Twitch: main can't be reached from this machine's network: check its cable, Wi-Fi and router":                                 connects(syscall.ENETDOWN),
		"Twitch does not answer: check the address and the port, and that no firewall blocks it":                                       connects(syscall.ETIMEDOUT),
		"Twitch: the connection failed: permission denied: a firewall on this machine may block it":                                    connects(syscall.EACCES),
		"Twitch: the connection failed: too many open files: this machine has reached its limit of open files":                         connects(syscall.EMFILE),
		"Twitch: there is no host named main: check the spelling of the address":                                                       &net.DNSError{IsNotFound: true},
		"Twitch: the name main could not be looked up: is this machine connected to the internet?":                                     &net.DNSError{IsTemporary: true},
		"Twitch: the TLS handshake failed: ask its operator":                                                                           tls.AlertError(40),
		"Twitch does not accept encrypted connections on this port: use its other port, or":                                            tls.RecordHeaderError{},
		"Twitch presented a certificate that is not valid for main: it has expired, or this machine's clock is wrong: check the":       &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
		"Twitch presented a certificate that is not valid for main: it belongs to another host: check the address":                     &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}}},
		"Twitch presented a certificate that is not valid for main: it is not signed by an authority that this machine trusts":         &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"Twitch: the server's answer is truncated":                                                                                     fmt.Errorf("connect: %w", errors.New("the server's answer is truncated")),
	} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, func(context.Context, *url.URL, *relay.Link) error { return err })
			b.onAir()
			b.put(twitch(), secret)
			_ = b.Start("a")
			synctest.Wait()
			if got := b.one().Reason; !strings.HasPrefix(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// Once a destination was live, its address is not questioned, and the advice changes when
// a failure keeps repeating.
func TestTheAdviceDependsOnWhetherTheDestinationWasLive(t *testing.T) {
	var next atomic.Pointer[error]
	play := func(_ context.Context, _ *url.URL, link *relay.Link) error {
		next := next.Load()
		if next == nil {
			link.Accepted()
			link.Live()
			time.Sleep(time.Minute)
			return io.EOF
		}
		return *next
	}
	for want, err := range map[string]error{
		"Twitch: nothing accepts connections at main: its server is down or restarting":                syscall.ECONNREFUSED,
		"Twitch does not answer: its server or the network path is stalled":                            os.ErrDeadlineExceeded,
		"Twitch: there is no host named main: it was found before, so check this machine's network":    &net.DNSError{IsNotFound: true},
		"Twitch keeps closing the connection: check there whether the show has ended, or someone else": io.EOF,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, play)
			b.onAir()
			d := twitch()
			d.BackupURL = ""
			next.Store(nil)
			b.put(d, secret)
			_ = b.Start("a")
			time.Sleep(time.Minute)
			b.wantState(relay.Retrying, "Twitch closed the connection")
			if got := b.one().Reason; got != "Twitch closed the connection" {
				t.Errorf("at first: %q", got)
			}
			next.Store(&err)
			time.Sleep(time.Minute)
			b.wantState(relay.Retrying, want)
		})
	}
}
