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
		"Twitch refused the stream: no such key. Check its key and its address":                                                      relay.NewRemoteError(relay.ErrRefused, "no such key."),
		"Twitch refused the stream: the key or the address is wrong: copy both from its page anew":                                   fmt.Errorf("publish: %w", relay.ErrRefused),
		"Twitch refused the stream: Already publishing. Somebody else sends with this key, or its last session has not ended yet":    relay.NewRemoteError(relay.ErrRefused, "Already publishing"),
		"Twitch: its address can't be used: it needs a port: srt://host:port":                                                        relay.NewRemoteError(relay.ErrInvalidAddress, "it needs a port: srt://host:port"),
		"Twitch can't take the program: RTMP can't carry AV1; set the encoder to H264":                                               relay.NewRemoteError(relay.ErrUnsupported, "RTMP can't carry AV1; set the encoder to H264"),
		"Twitch can't take the program as it is coded: set the program's encoder to H264 and AAC":                                    relay.ErrUnsupported,
		"Twitch stopped taking data: its server is stuck, or the network on the way to it":                                           fmt.Errorf("%w for 10s", relay.ErrStalled),
		"Twitch closed the connection before it agreed to anything: check the address and its port, and whether it wants encryption": connects(syscall.ECONNRESET),
		"Twitch: nothing accepts connections at main: check the address and its port":                                                connects(syscall.ECONNREFUSED),
		"Twitch: there is no way to main from this machine's network: check its cable, wifi and router":                              connects(syscall.ENETDOWN),
		"Twitch does not answer: check the address and its port, and that no firewall is in the way":                                 connects(syscall.ETIMEDOUT),
		"Twitch: the connection failed: permission denied: a firewall on this machine may forbid it":                                 connects(syscall.EACCES),
		"Twitch: the connection failed: too many open files: this machine has no room for one more":                                  connects(syscall.EMFILE),
		"Twitch: there is no host named main: check how the address is spelt":                                                        &net.DNSError{IsNotFound: true},
		"Twitch: the name main could not be looked up: is this machine on the internet?":                                             &net.DNSError{IsTemporary: true},
		"Twitch: no encrypted connection could be agreed on: ask who runs it":                                                        tls.AlertError(40),
		"Twitch takes no encrypted connections on this port: use its other port, or":                                                 tls.RecordHeaderError{},
		"Twitch showed a certificate that is not valid for main: it has expired, or this machine's clock is wrong: look at the":      &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
		"Twitch showed a certificate that is not valid for main: it belongs to another host: check the address":                      &tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}}},
		"Twitch showed a certificate that is not valid for main: nobody this machine trusts signed it: check the address":            &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"Twitch: the server's answer is cut short":                                                                                   fmt.Errorf("connect: %w", errors.New("the server's answer is cut short")),
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

// Who was live is not told to check the address, and nobody is told the same for ever.
func TestWhatThereIsToDoDependsOnWhatWasBefore(t *testing.T) {
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
		"Twitch: nothing accepts connections at main: its server is down, or restarts":                    syscall.ECONNREFUSED,
		"Twitch does not answer: its server is stuck, or the network on the way to it":                    os.ErrDeadlineExceeded,
		"Twitch: there is no host named main: it was there before, so look at this machine's network":     &net.DNSError{IsNotFound: true},
		"Twitch closed the connection, again and again: look there whether the show has ended, or somebo": io.EOF,
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
