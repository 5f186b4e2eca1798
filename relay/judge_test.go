package relay_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"obvan/relay"
)

func TestEachFailureIsASentenceForAnOperator(t *testing.T) {
	dialled := func(err error) error {
		return fmt.Errorf("connect: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
	}
	for want, err := range map[string]error{
		"Twitch refused the stream: no such key":                                     relay.Say(relay.ErrRefused, "no such key"),
		"Twitch refused the stream: the key or the address is wrong":                 fmt.Errorf("publish: %w", relay.ErrRefused),
		"Twitch can't take the program: RTMP can't carry AV1":                        relay.Say(relay.ErrUnsupported, "RTMP can't carry AV1"),
		"Twitch stopped taking data":                                                 fmt.Errorf("%w for 10s", relay.ErrStalled),
		"Twitch closed the connection":                                               dialled(syscall.ECONNRESET),
		"Twitch: nothing accepts connections at main":                                dialled(syscall.ECONNREFUSED),
		"Twitch: there is no way to main from this machine's network":                dialled(syscall.ENETDOWN),
		"Twitch does not answer":                                                     dialled(syscall.ETIMEDOUT),
		"Twitch: the connection failed: permission denied":                           dialled(syscall.EACCES),
		"Twitch: there is no host named main":                                        &net.DNSError{IsNotFound: true},
		"Twitch: the name main could not be looked up":                               &net.DNSError{IsTemporary: true},
		"Twitch: no encrypted connection could be agreed on":                         tls.AlertError(40),
		"Twitch takes no encrypted connections on this port: use its other port, or": tls.RecordHeaderError{},
		"Twitch showed a certificate that is not valid for main: it has expired, or": &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}},
		"Twitch: the server's answer is cut short":                                   errors.New("the server's answer is cut short"),
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
