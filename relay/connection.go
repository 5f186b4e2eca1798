package relay

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"obvan/hub"
	"obvan/internal/redact"
	"obvan/internal/retry"
	"obvan/media"
)

// How refusals and failures are judged.
const (
	minRetryWait = 500 * time.Millisecond
	maxRetryWait = 30 * time.Second

	// After a connection broke, a platform may consider our old session alive and refuse the
	// new one until the old one times out: Twitch and YouTube wait 60 to 90 s, nginx-rtmp its
	// ping timeout. A refusal is retried for this long, see isFinal.
	staleSessionTimeout = 2 * time.Minute

	// attemptsInGrace is the least number of attempts within the time for which a platform
	// keeps the broadcast without data, provided that they fail at once.
	attemptsInGrace = 3

	// A server that confirms nothing for this long is given up, where it is not known how
	// long the platform waits; else after a share of that time. A moment's hiccup is no
	// reason: a new connection costs viewers more.
	defaultStallTimeout = 10 * time.Second
	minStallTimeout     = 2 * time.Second

	maxEarlyCloses = 3 // this many closes right after accepting are a refusal
	manyFailures   = 3 // this many failures in a row are more than a hiccup
	attemptsPerURL = 2 // then the other address is tried
	waitingReason  = "waiting for the program"
)

// perAttempt is the share of the grace period that one attempt may take; 0 when it is not
// known.
func (p ReconnectWindow) perAttempt() time.Duration { return p.Grace / (attemptsInGrace + 1) }

// stallTimeout is how long a server may confirm nothing.
func (p ReconnectWindow) stallTimeout() time.Duration {
	if p.Grace == 0 {
		return defaultStallTimeout
	}
	return max(p.perAttempt(), minStallTimeout)
}

// connection keeps one endpoint connected until it is cancelled. Its own fields belong to
// its goroutine, except cancel, retry and those that the relay's mutex guards.
type connection struct {
	relay    *Relay
	endpoint *endpoint
	cancel   context.CancelFunc
	retry    chan struct{} // a token: retry now
	ended    chan struct{} // closed when run returns
	previous *connection   // has to end first: a platform takes one session per key

	stats      *linkStats              // of the attempt under way; guarded by relay.mu
	lastSilent time.Time               // when it, once live, last confirmed nothing; zero while it is live; guarded by relay.mu
	abort      context.CancelCauseFunc // ends the attempt; guarded by relay.mu

	bitrateCap bitrateCap
	history    history
}

// history is what is known of earlier attempts when a failure is handled.
type history struct {
	backoff      retry.Backoff
	failures     int // in a row
	earlyCloses  int // right after accepting, in a row
	firstAttempt time.Time
	lastLive     time.Time // zero when it never was
	liveAt       string    // the host at which it was live
	lostAt       time.Time // when a session was lost that the server had accepted, and may still consider alive

	tracks *media.Tracks // the program's when the last attempt ended
}

func newHistory() history {
	return history{backoff: retry.Backoff{Min: minRetryWait, Max: maxRetryWait}}
}

// retryNow ends a wait.
func (c *connection) retryNow() {
	select {
	case c.retry <- struct{}{}:
	default:
	}
}

func (c *connection) run(ctx context.Context) {
	defer c.end()
	if c.previous != nil {
		<-c.previous.ended // it was cancelled, so it ends within two seconds
		c.previous = nil
	}
	c.history = newHistory()
	for ctx.Err() == nil {
		sub, err := c.waitForProgram(ctx)
		if err != nil {
			return
		}
		link, host, err := c.attempt(ctx, sub)
		sub.Close()
		if ctx.Err() != nil {
			return
		}
		if err != nil { // nil: the program ended, and the session was closed properly
			c.handleFailure(ctx, link, host, err)
		}
	}
}

// end leaves the endpoint off, unless another connection has taken over.
func (c *connection) end() {
	r := c.relay
	r.mu.Lock()
	c.addTotals()
	if c.endpoint.connection == c {
		c.endpoint.connection = nil
		c.endpoint.setState(Off, "")
	}
	r.mu.Unlock()
	close(c.ended)
	c.cancel()
	r.notify()
	r.connections.Done()
}

// addTotals adds what the attempt counted to the endpoint; relay.mu is held.
func (c *connection) addTotals() {
	if c.stats != nil {
		c.endpoint.finished = c.endpoint.finished.plus(c.stats.link)
		c.stats, c.lastSilent, c.abort = nil, time.Time{}, nil
	}
}

// update changes the endpoint, unless it has another connection by now or was stopped. It
// returns the endpoint's label, "" when nothing was changed.
func (c *connection) update(do func(e *endpoint)) (who string) {
	r := c.relay
	r.mu.Lock()
	if c.endpoint.connection == c && c.endpoint.shouldConnect() {
		do(c.endpoint)
		who = c.endpoint.label()
	}
	r.mu.Unlock()
	r.notify()
	return who
}

// waitForProgram waits until the program has a video frame (or only audio) to start with,
// and subscribes there. Connecting earlier would hold an idle session open, which
// platforms close.
func (c *connection) waitForProgram(ctx context.Context) (*hub.Subscriber, error) {
	if st, ok := c.relay.hub.Stream(hub.Program); !ok || st.Keyframes+st.AudioFrames == 0 {
		c.update(func(e *endpoint) { e.setState(Connecting, waitingReason) })
	}
	for {
		sub, err := c.relay.hub.Await(ctx, hub.Program)
		if err != nil {
			return nil, err
		}
		_, err = sub.Next(ctx) // waits for a first unit; it is read again below
		sub.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			continue // the program ended before it began
		}
		if sub, err = c.relay.hub.Subscribe(hub.Program); err != nil {
			continue
		}
		if err = c.waitForDelay(ctx, sub); err != nil {
			sub.Close()
			return nil, err
		}
		return sub, nil
	}
}

// attempt is one connection from its start to its end.
func (c *connection) attempt(ctx context.Context, sub *hub.Subscriber) (*Link, string, error) {
	var u *url.URL
	var err error
	link := NewLink(c.onLive)
	select {
	case <-c.retry: // it was meant for a wait that is over
	default:
	}
	within, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	c.update(func(e *endpoint) {
		u, err = c.relay.outputs.address(e.address(), e.dest.key)
		e.attempt++
		e.setState(Connecting, "")
		c.stats, c.abort = newLinkStats(link, time.Now()), drop
	})
	if u == nil || err != nil {
		return link, "", err // stopped meanwhile, or Put did not check the address
	}
	if c.history.firstAttempt.IsZero() {
		c.history.firstAttempt = time.Now()
	}
	filter := c.bitrateCap.newFilter(link)
	sub.FilterWhile(filter.active, filter.shouldSend)
	c.history.tracks = sub.Tracks()
	err = c.relay.outputs[u.Scheme].Push(within, u, sub, link)
	if filter.tracks != nil {
		c.history.tracks = filter.tracks
	}
	if Abandoned(within) {
		err = context.Cause(within)
	}
	c.relay.mu.Lock()
	if c.stats != nil && link.IsLive() {
		c.endpoint.startGrace(c.stats.lastProof(time.Now()))
	}
	c.addTotals()
	c.relay.mu.Unlock()
	return link, u.Host, err
}

// onLive is called by the output.
func (c *connection) onLive() {
	if who := c.update(func(e *endpoint) { e.setState(Live, ""); e.graceEnds = time.Time{} }); who != "" {
		c.relay.log.Info("destination live", "destination", who)
	}
}

// checkProof ends the state live when the server stops confirming that it receives data,
// restores it, and gives the connection up after too long a silence; relay.mu is held.
// Outputs only report what they measure: how long to wait is decided here.
func (c *connection) checkProof(now time.Time, programKbps int) {
	e := c.endpoint
	c.stats.sample(now)
	silent, stopped := c.stats.silence(now)
	switch {
	case silent > 0 && (e.state == Live || !c.lastSilent.IsZero()):
		if c.lastSilent.IsZero() {
			defer c.relay.notify()
		}
		c.lastSilent = now
		e.startGrace(now.Add(-silent))
		e.setState(Retrying, fmt.Sprintf("%s stopped %s %d s ago", e.label(), stopped, int(silent.Seconds())))
	case silent == 0 && !c.lastSilent.IsZero() && now.Sub(c.lastSilent) < stableAfter:
		e.setState(Retrying, e.label()+" is receiving data again, but not yet stable")
		e.graceEnds = time.Time{}
	case silent == 0 && !c.lastSilent.IsZero():
		c.lastSilent = time.Time{}
		e.setState(Live, "")
		c.relay.notify()
	case e.state == Live:
		if e.reason = c.stats.lateText(e.label(), programKbps); e.reason == "" {
			e.reason = c.bitrateCap.warning(e.label(), now, programKbps)
		}
	}
	if silent >= e.dest.spec.ReconnectWindow.stallTimeout() && !c.stats.link.acceptedAt().IsZero() {
		c.abort(ErrStalled)
	}
}

// handleFailure decides what an attempt's failure means, reports it, and waits
// accordingly.
func (c *connection) handleFailure(ctx context.Context, link *Link, host string, err error) {
	now := time.Now()
	what := classify(err, link, now)
	c.recordFailure(what, link, now)
	f := failure{err: err, kind: what, host: host, server: c.history.serverHistory(link, host), repeated: c.history.failures >= manyFailures}
	var sentence string
	if c.update(func(e *endpoint) { sentence = c.failureText(e, f) }) == "" {
		return // stopped, or replaced
	}
	switch {
	case what == unsupported:
		c.refuse(sentence)
		c.waitForCodecChange(ctx)
	case c.isFinal(what, now):
		c.refuse(sentence)
		select {
		case <-c.retry:
			c.history = newHistory() // the operator asked for a retry
		case <-ctx.Done():
		}
	default:
		c.waitToRetry(ctx, sentence)
	}
}

// recordFailure updates the counters that retries and the backup address depend on.
func (c *connection) recordFailure(what failureKind, link *Link, now time.Time) {
	if link.IsLive() {
		c.history.lastLive = now
		if at := link.acceptedAt(); now.Sub(at) >= resetAfter {
			c.history.backoff.Reset()
			c.history.failures = 0
		}
	}
	if (what == network || what == stalled) && !link.acceptedAt().IsZero() {
		c.history.lostAt = now
	}
	c.history.failures++
	if what == closedEarly {
		c.history.earlyCloses++
	} else {
		c.history.earlyCloses = 0
	}
	if c.history.failures%attemptsPerURL == 0 {
		c.update(func(e *endpoint) {
			if spec := &e.dest.spec; !spec.SendToBoth {
				e.backup = !e.backup && spec.BackupURL != ""
			}
		})
	}
}

// isFinal reports whether a failure is final. It is not while the server may still
// consider an old session of ours alive: one of this run that was live, or, when it says
// that someone is publishing already, any session of this run, or one of a process before
// us.
func (c *connection) isFinal(what failureKind, now time.Time) bool {
	since := c.history.lastLive
	if what == busy && c.history.lostAt.After(since) {
		since = c.history.lostAt
	}
	if what == busy && since.IsZero() {
		since = c.history.firstAttempt
	}
	if !since.IsZero() && now.Sub(since) < staleSessionTimeout {
		return false
	}
	return what == refused || what == busy || what == closedEarly && c.history.earlyCloses >= maxEarlyCloses
}

// serverHistory is what is known of the server at a host after an attempt; it remembers
// that too.
func (r *history) serverHistory(link *Link, host string) serverHistory {
	if link.IsLive() {
		r.liveAt = host
	}
	switch {
	case r.liveAt == host && host != "":
		return wasLive
	case !link.acceptedAt().IsZero(), !r.lastLive.IsZero(): // the latter at its other address
		return acceptedBefore
	}
	return neverAccepted
}

func (c *connection) failureText(e *endpoint, f failure) string {
	d := e.dest
	// Where the platform's grace period is known, that is what matters.
	f.repeated = f.repeated && d.spec.ReconnectWindow.Grace == 0
	s := explain(e.label(), f)
	secrets := []string{d.key}
	for _, raw := range []string{d.spec.URL, d.spec.BackupURL} {
		if u, err := c.relay.outputs.address(raw, d.key); err == nil {
			secrets = append(secrets, Secrets(u)...)
		}
	}
	return redact.Text(s, secrets...)
}

func (c *connection) refuse(sentence string) {
	if who := c.update(func(e *endpoint) { e.setState(Refused, sentence) }); who != "" {
		c.relay.log.Error("destination refused", "destination", who, "reason", sentence)
	}
}

// waitToRetry waits for the back-off, or until the operator asks for a retry.
func (c *connection) waitToRetry(ctx context.Context, sentence string) {
	wait := c.history.backoff.Next()
	who := c.update(func(e *endpoint) {
		e.setState(Retrying, sentence)
		wait = e.limitWait(wait, time.Now())
		e.nextTry = time.Now().Add(wait)
	})
	if who != "" {
		c.relay.log.Warn("destination lost", "destination", who, "reason", sentence, "wait", wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.retry:
	case <-ctx.Done():
	}
}
