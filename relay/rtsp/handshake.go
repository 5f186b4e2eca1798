package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"obvan/relay"
)

const answerTimeout = 8 * time.Second

// connection is an accepted session.
type connection struct {
	client     *gortsplib.Client
	sharedConn *sharedConn
	conn       *serverConn
	channels   []int // by media: where its RTP goes (RFC 2326, 10.12)
}

// record asks the server to take the stream, up to its acceptance.
func record(ctx context.Context, to target, desc *description.Session, l *serverConn, config *tls.Config) (*connection, error) {
	c := &connection{conn: l}
	var dialErr error
	var mu sync.Mutex // OnResponse is called on the library's goroutine
	tcp := gortsplib.TransportTCP
	c.client = &gortsplib.Client{
		Transport: &tcp, UserAgent: "obvan", ReadTimeout: answerTimeout, WriteTimeout: answerTimeout, WriteQueueSize: 8,
		DisableRTCPSenderReports: true,
		DialContext: func(within context.Context, _, _ string) (net.Conn, error) {
			within, cancel := context.WithCancel(within)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			conn, err := l.dial(within, to, config)
			if err != nil {
				dialErr = err
				return nil, err
			}
			c.sharedConn = &sharedConn{Conn: conn, conn: l, remoteClosed: make(chan struct{})}
			return c.sharedConn, nil
		},
		OnResponse: func(res *base.Response) {
			var t headers.Transport
			if v, ok := res.Header["Transport"]; ok && t.Unmarshal(v) == nil && t.InterleavedIDs != nil {
				mu.Lock()
				c.channels = append(c.channels, t.InterleavedIDs[0])
				mu.Unlock()
			}
		},
		// Without these the library would write to the standard logger.
		OnTransportSwitch: func(error) {}, OnPacketsLost: func(uint64) {}, OnDecodeError: func(error) {},
	}
	stop := context.AfterFunc(ctx, func() { l.finishBy(time.Now()) })
	err := c.client.StartRecording(to.url, desc)
	if !stop() && err == nil {
		c.client.Close()
		err = ctx.Err()
	}
	mu.Lock()
	defer mu.Unlock()
	switch {
	case dialErr != nil:
		return nil, fmt.Errorf("connect: %w", dialErr)
	case err != nil:
		return nil, classify(err)
	case len(c.channels) != len(desc.Medias):
		c.client.Close()
		return nil, errors.New("the server did not say where to send the stream: it may not be an ingest server")
	}
	return c, nil
}

// statusTexts is what refusals mean for someone who wants to publish.
var statusTexts = map[base.StatusCode]string{
	base.StatusUnauthorized:         "the user name or password in the address is wrong",
	base.StatusForbidden:            "publishing there is not allowed",
	base.StatusNotFound:             "it has no such path",
	base.StatusMethodNotAllowed:     "it only plays streams and accepts none",
	base.StatusNotImplemented:       "it only plays streams and accepts none",
	base.StatusUnsupportedTransport: "it accepts no streams over TCP",
}

// classify gives a refusal its class. A server that is busy or faulty may take the stream
// later.
func classify(err error) error {
	var status liberrors.ErrClientBadStatusCode
	var slow liberrors.ErrClientRequestTimedOut
	switch {
	case errors.As(err, &status):
		text := fmt.Sprintf("%s (%d)", status.Message, status.Code)
		if means := statusTexts[status.Code]; means != "" {
			text = means + ": " + text
		}
		if status.Code >= 500 && status.Code != base.StatusNotImplemented || status.Code == base.StatusNotEnoughBandwidth {
			return errors.New("the server says: " + relay.CleanText(text))
		}
		return relay.NewRemoteError(relay.ErrRefused, text)
	case errors.As(err, &slow):
		return fmt.Errorf("session: %w", context.DeadlineExceeded)
	}
	return fmt.Errorf("session: %w", err)
}
