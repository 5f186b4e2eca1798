// Package selftest tests the relay while it runs: servers that behave as badly as platforms
// do, inside this process, and a run of all of them at once whose report says whether one
// bad destination can affect the others.
//
//	selftest://ok                accepts, and takes everything
//	selftest://refuse            refuses every key
//	selftest://stall?after=2s    stops reading
//	selftest://slow?kbps=400     reads that slowly
//	selftest://reset?every=5s    cuts the connection that often
//	selftest://close             closes instead of answering
//	selftest://silent            never answers
//
// Each attempt is RTMP over loopback to a server of its own: the same code as for
// platforms, up to the socket.
package selftest

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"obvan/hub"
	"obvan/relay"
	"obvan/relay/testserver"
)

// The kinds of servers.
const (
	OK     = "ok"
	Refuse = "refuse"
	Stall  = "stall"
	Slow   = "slow"
	Reset  = "reset"
	Close  = "close"
	Silent = "silent"
)

const (
	stallAfter = 2 * time.Second
	slowKbps   = 400
	resetEvery = 5 * time.Second
)

// Over makes the relay.Push for selftest:// from that for rtmp://: self-tests take the
// same path as other destinations, through everything that those share.
func Over(rtmp relay.Push) relay.Push {
	return func(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *relay.Link) error {
		how, err := behaviour(u)
		if err != nil {
			return err
		}
		how.CountOnly = true
		return attempt{rtmp: rtmp, how: how}.push(ctx, u, sub, link)
	}
}

// CheckAddress is relay.Output's.
func CheckAddress(u *url.URL) error {
	_, err := behaviour(u)
	return err
}

// attempt is one connection to a server of its own.
type attempt struct {
	rtmp    relay.Push
	how     testserver.Behaviour
	started func(*testserver.Server) // nil, or called with the server
}

func (a attempt) push(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *relay.Link) error {
	s, err := testserver.Listen("127.0.0.1:0", nil)
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	if a.how.Buffer > 0 { // a connection's initial buffer can't be reduced later
		s.LimitReceiveBuffer(a.how.Buffer)
	}
	s.Behave(func(string) testserver.Behaviour { return a.how })
	if a.started != nil {
		a.started(s)
	}
	within, stop := context.WithCancel(context.Background()) // it outlives ctx, to receive the unpublish
	ended := make(chan error, 1)
	go func() { ended <- s.Run(within) }()
	defer func() { stop(); <-ended }()
	to, err := url.Parse(s.URL())
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	if to.Fragment = u.Fragment; to.Fragment == "" {
		to.Fragment = "selftest"
	}
	return a.rtmp(ctx, to, sub, link)
}

// behaviour is the behaviour that an address describes.
func behaviour(u *url.URL) (how testserver.Behaviour, err error) {
	q := u.Query()
	span := func(name string, otherwise time.Duration) time.Duration {
		if q.Get(name) == "" {
			return otherwise
		}
		d, e := time.ParseDuration(q.Get(name))
		if e != nil || d <= 0 || d > time.Hour {
			err = relay.NewRemoteError(relay.ErrInvalidAddress, name+" must be a time, such as 5s")
		}
		return d
	}
	switch u.Hostname() {
	case OK:
	case Refuse:
		how.Refuse = "this is a self-test: every key is refused"
	case Stall:
		how.StallAfter, how.Buffer = span("after", stallAfter), 4096
	case Slow:
		kbps := slowKbps
		if text := q.Get("kbps"); text != "" {
			if kbps, err = strconv.Atoi(text); err != nil || kbps < 1 || kbps > 1_000_000 {
				err = relay.NewRemoteError(relay.ErrInvalidAddress, "kbps must be a number, such as 400")
			}
		}
		how.Rate, how.Buffer = kbps*125, 16<<10
	case Reset:
		how.CloseAfter, how.Reset = span("every", resetEvery), true
	case Close:
		how.CloseFirst = true
	case Silent:
		how.NoAnswer = true
	default:
		err = relay.NewRemoteError(relay.ErrInvalidAddress, "there is no such self-test: use ok, refuse, stall, slow, reset, close or silent")
	}
	return how, err
}
