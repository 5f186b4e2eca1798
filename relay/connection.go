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
func (k *connection) retryNow() {
	select {
	case k.retry <- struct{}{}:
	default:
	}
}

func (k *connection) run(ctx context.Context) {
	defer k.end()
	if k.previous != nil {
		<-k.previous.ended // it was cancelled, so it ends within two seconds
		k.previous = nil
	}
	k.history = newHistory()
	for ctx.Err() == nil {
		sub, err := k.waitForProgram(ctx)
		if err != nil {
			return
		}
		link, host, err := k.attempt(ctx, sub)
		sub.Close()
		if ctx.Err() != nil {
			return
		}
		if err != nil { // nil: the program ended, and the session was closed properly
			k.handleFailure(ctx, link, host, err)
		}
	}
}

// end leaves the endpoint off, unless another connection has taken over.
func (k *connection) end() {
	r := k.relay
	r.mu.Lock()
	k.addTotals()
	if k.endpoint.connection == k {
		k.endpoint.connection = nil
		k.endpoint.setState(Off, "")
	}
	r.mu.Unlock()
	close(k.ended)
	k.cancel()
	r.notify()
	r.connections.Done()
}

// addTotals adds what the attempt counted to the endpoint; relay.mu is held.
func (k *connection) addTotals() {
	if k.stats != nil {
		k.endpoint.finished = k.endpoint.finished.plus(k.stats.link)
		k.stats, k.lastSilent, k.abort = nil, time.Time{}, nil
	}
}

// update changes the endpoint, unless it has another connection by now or was stopped. It
// returns the endpoint's label, "" when nothing was changed.
func (k *connection) update(do func(l *endpoint)) (who string) {
	r := k.relay
	r.mu.Lock()
	if k.endpoint.connection == k && k.endpoint.shouldConnect() {
		do(k.endpoint)
		who = k.endpoint.label()
	}
	r.mu.Unlock()
	r.notify()
	return who
}

// waitForProgram waits until the program has a video frame (or only audio) to start with,
// and subscribes there. Connecting earlier would hold an idle session open, which
// platforms close.
func (k *connection) waitForProgram(ctx context.Context) (*hub.Subscriber, error) {
	if st, ok := k.relay.hub.Stream(hub.Program); !ok || st.Keyframes+st.AudioFrames == 0 {
		k.update(func(l *endpoint) { l.setState(Connecting, waitingReason) })
	}
	for {
		sub, err := k.relay.hub.Await(ctx, hub.Program)
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
		if sub, err = k.relay.hub.Subscribe(hub.Program); err != nil {
			continue
		}
		if err = k.waitForDelay(ctx, sub); err != nil {
			sub.Close()
			return nil, err
		}
		return sub, nil
	}
}

// attempt is one connection from its start to its end.
func (k *connection) attempt(ctx context.Context, sub *hub.Subscriber) (*Link, string, error) {
	var u *url.URL
	var err error
	link := NewLink(k.onLive)
	select {
	case <-k.retry: // it was meant for a wait that is over
	default:
	}
	within, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	k.update(func(l *endpoint) {
		u, err = k.relay.outputs.address(l.address(), l.dest.key)
		l.attempt++
		l.setState(Connecting, "")
		k.stats, k.abort = newLinkStats(link, time.Now()), drop
	})
	if u == nil || err != nil {
		return link, "", err // stopped meanwhile, or Put did not check the address
	}
	if k.history.firstAttempt.IsZero() {
		k.history.firstAttempt = time.Now()
	}
	filter := k.bitrateCap.newFilter(link)
	sub.FilterWhile(filter.active, filter.shouldSend)
	k.history.tracks = sub.Tracks()
	err = k.relay.outputs[u.Scheme].Push(within, u, sub, link)
	if filter.tracks != nil {
		k.history.tracks = filter.tracks
	}
	if Abandoned(within) {
		err = context.Cause(within)
	}
	k.relay.mu.Lock()
	if k.stats != nil && link.IsLive() {
		k.endpoint.startGrace(k.stats.lastProof(time.Now()))
	}
	k.addTotals()
	k.relay.mu.Unlock()
	return link, u.Host, err
}

// onLive is called by the output.
func (k *connection) onLive() {
	if who := k.update(func(l *endpoint) { l.setState(Live, ""); l.graceEnds = time.Time{} }); who != "" {
		k.relay.log.Info("destination live", "destination", who)
	}
}

// checkProof ends the state live when the server stops confirming that it receives data,
// restores it, and gives the connection up after too long a silence; relay.mu is held.
// Outputs only report what they measure: how long to wait is decided here.
func (k *connection) checkProof(now time.Time, programKbps int) {
	l := k.endpoint
	k.stats.sample(now)
	silent, stopped := k.stats.silence(now)
	switch {
	case silent > 0 && (l.state == Live || !k.lastSilent.IsZero()):
		if k.lastSilent.IsZero() {
			defer k.relay.notify()
		}
		k.lastSilent = now
		l.startGrace(now.Add(-silent))
		l.setState(Retrying, fmt.Sprintf("%s stopped %s %d s ago", l.label(), stopped, int(silent.Seconds())))
	case silent == 0 && !k.lastSilent.IsZero() && now.Sub(k.lastSilent) < stableAfter:
		l.setState(Retrying, l.label()+" is receiving data again, but not yet stable")
		l.graceEnds = time.Time{}
	case silent == 0 && !k.lastSilent.IsZero():
		k.lastSilent = time.Time{}
		l.setState(Live, "")
		k.relay.notify()
	case l.state == Live:
		if l.reason = k.stats.lateText(l.label(), programKbps); l.reason == "" {
			l.reason = k.bitrateCap.warning(l.label(), now, programKbps)
		}
	}
	if silent >= l.dest.spec.ReconnectWindow.stallTimeout() && !k.stats.link.acceptedAt().IsZero() {
		k.abort(ErrStalled)
	}
}

// handleFailure decides what an attempt's failure means, reports it, and waits
// accordingly.
func (k *connection) handleFailure(ctx context.Context, link *Link, host string, err error) {
	now := time.Now()
	what := classify(err, link, now)
	k.recordFailure(what, link, now)
	f := failure{err: err, kind: what, host: host, server: k.history.serverHistory(link, host), repeated: k.history.failures >= manyFailures}
	var sentence string
	if k.update(func(l *endpoint) { sentence = k.failureText(l, f) }) == "" {
		return // stopped, or replaced
	}
	switch {
	case what == unsupported:
		k.refuse(sentence)
		k.waitForCodecChange(ctx)
	case k.isFinal(what, now):
		k.refuse(sentence)
		select {
		case <-k.retry:
			k.history = newHistory() // the operator asked for a retry
		case <-ctx.Done():
		}
	default:
		k.waitToRetry(ctx, sentence)
	}
}

// recordFailure updates the counters that retries and the backup address depend on.
func (k *connection) recordFailure(what failureKind, link *Link, now time.Time) {
	if link.IsLive() {
		k.history.lastLive = now
		if at := link.acceptedAt(); now.Sub(at) >= resetAfter {
			k.history.backoff.Reset()
			k.history.failures = 0
		}
	}
	if (what == network || what == stalled) && !link.acceptedAt().IsZero() {
		k.history.lostAt = now
	}
	k.history.failures++
	if what == closedEarly {
		k.history.earlyCloses++
	} else {
		k.history.earlyCloses = 0
	}
	if k.history.failures%attemptsPerURL == 0 {
		k.update(func(l *endpoint) {
			if spec := &l.dest.spec; !spec.SendToBoth {
				l.backup = !l.backup && spec.BackupURL != ""
			}
		})
	}
}

// isFinal reports whether a failure is final. It is not while the server may still
// consider an old session of ours alive: one of this run that was live, or, when it says
// that someone is publishing already, any session of this run, or one of a process before
// us.
func (k *connection) isFinal(what failureKind, now time.Time) bool {
	since := k.history.lastLive
	if what == busy && k.history.lostAt.After(since) {
		since = k.history.lostAt
	}
	if what == busy && since.IsZero() {
		since = k.history.firstAttempt
	}
	if !since.IsZero() && now.Sub(since) < staleSessionTimeout {
		return false
	}
	return what == refused || what == busy || what == closedEarly && k.history.earlyCloses >= maxEarlyCloses
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

func (k *connection) failureText(l *endpoint, f failure) string {
	d := l.dest
	// Where the platform's grace period is known, that is what matters.
	f.repeated = f.repeated && d.spec.ReconnectWindow.Grace == 0
	s := explain(l.label(), f)
	secrets := []string{d.key}
	for _, raw := range []string{d.spec.URL, d.spec.BackupURL} {
		if u, err := k.relay.outputs.address(raw, d.key); err == nil {
			secrets = append(secrets, Secrets(u)...)
		}
	}
	return redact.Text(s, secrets...)
}

func (k *connection) refuse(sentence string) {
	if who := k.update(func(l *endpoint) { l.setState(Refused, sentence) }); who != "" {
		k.relay.log.Error("destination refused", "destination", who, "reason", sentence)
	}
}

// waitToRetry waits for the back-off, or until the operator asks for a retry.
func (k *connection) waitToRetry(ctx context.Context, sentence string) {
	wait := k.history.backoff.Next()
	who := k.update(func(l *endpoint) {
		l.setState(Retrying, sentence)
		wait = l.limitWait(wait, time.Now())
		l.nextTry = time.Now().Add(wait)
	})
	if who != "" {
		k.relay.log.Warn("destination lost", "destination", who, "reason", sentence, "wait", wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.retry:
	case <-ctx.Done():
	}
}
