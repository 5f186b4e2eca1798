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

// How refusals and failures are weighed.
const (
	minRetryWait = 500 * time.Millisecond
	maxRetryWait = 30 * time.Second

	// A platform may take our old session for alive after the connection broke and
	// refuse the new one until it gives the old one up: Twitch and YouTube wait 60 to
	// 90 s, nginx-rtmp its ping timeout. For so long a refusal is retried, see givesUp.
	staleSessionTimeout = 2 * time.Minute

	// triesInGrace is at least how many attempts fall into the time for which a platform
	// keeps the broadcast without data, as far as they fail at once.
	attemptsInGrace = 3

	// A far end that proves nothing for so long is given up, where it is not known how
	// long the platform waits; else for a share of that. A moment's hiccup is no reason:
	// a new connection costs viewers more.
	defaultStallTimeout = 10 * time.Second
	minStallTimeout     = 2 * time.Second

	maxEarlyCloses = 3 // so many closes right after agreeing are a refusal
	manyFailures   = 3 // so many failures in a row are more than a hiccup
	attemptsPerURL = 2 // then it is the other address's turn
	waitingReason  = "waiting for the program"
)

// share is the part of the grace that one attempt may take; 0 when it is not known.
func (p ReconnectWindow) perAttempt() time.Duration { return p.Grace / (attemptsInGrace + 1) }

// stall is for how long a far end may prove nothing.
func (p ReconnectWindow) stallTimeout() time.Duration {
	if p.Grace == 0 {
		return defaultStallTimeout
	}
	return max(p.perAttempt(), minStallTimeout)
}

// keeper keeps one leg connected until it is cancelled. Its own fields are for its
// goroutine, except cancel, again and those that the relay's mutex guards.
type connection struct {
	relay    *Relay
	endpoint *endpoint
	cancel   context.CancelFunc
	retry    chan struct{} // a token: retry now
	ended    chan struct{} // closed when run returns
	previous *connection   // has to end first: a platform takes one session for a key

	stats      *linkStats              // of the attempt that runs; guarded by relay.mu
	lastSilent time.Time               // when it, once live, last took no data; zero while all is well; guarded by relay.mu
	abort      context.CancelCauseFunc // ends the attempt; guarded by relay.mu

	bitrateCap bitrateCap
	history    history
}

// record is what judging a failure needs to know of those before it.
type history struct {
	backoff      retry.Backoff
	failures     int       // in a row
	earlyCloses  int       // right after agreeing, in a row
	firstAttempt time.Time // the first attempt
	lastLive     time.Time // zero when it never was
	liveAt       string    // the host where
	lostAt       time.Time // when a session was lost that a far end had agreed to, and may not know of it

	tracks *media.Tracks // how the program is that the last attempt came to
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
		if err != nil { // nil: the program ended, and everything was said properly
			k.handleFailure(ctx, link, host, err)
		}
	}
}

// end leaves the leg off, unless another keeper has taken over.
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

// settle adds what the attempt counted to the leg; relay.mu is held.
func (k *connection) addTotals() {
	if k.stats != nil {
		k.endpoint.finished = k.endpoint.finished.plus(k.stats.link)
		k.stats, k.lastSilent, k.abort = nil, time.Time{}, nil
	}
}

// tell notes a state, unless the leg has another keeper by now or was stopped. It
// returns what operators call it, "" when nothing was noted.
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

// await waits until the program has a picture (or only sound) to start with, and
// reads it from there. Dialling earlier would hold a silent session open, which
// platforms end.
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

// attempt is one connection, from dial to its end.
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
		return link, "", err // stopped meanwhile, or Put checked badly
	}
	if k.history.firstAttempt.IsZero() {
		k.history.firstAttempt = time.Now()
	}
	filter := k.bitrateCap.filter(link)
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

// live is told by the output.
func (k *connection) onLive() {
	if who := k.update(func(l *endpoint) { l.setState(Live, ""); l.graceEnds = time.Time{} }); who != "" {
		k.relay.log.Info("destination live", "destination", who)
	}
}

// look takes the word "live" away from a far end that stopped proving it, gives it
// back, and gives the connection up when it has been silent for too long; relay.mu is
// held. Outputs only say what they see: how long to wait is decided here.
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
		l.setState(Retrying, l.label()+" takes data again, not steadily yet")
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

// judge decides what an attempt's failure means, says so, and waits accordingly.
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
			k.history = newHistory() // the operator says try again
		case <-ctx.Done():
		}
	default:
		k.waitToRetry(ctx, sentence)
	}
}

// count keeps the books on which patience and the backup address depend.
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

// givesUp reports whether a failure is final. It is not while the far end may
// still take an old session of ours for alive: one of this run that was live, or,
// when it says that somebody is publishing already, any of this run, or one of a
// process before us.
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

// met is how well the far end at a host is known after an attempt, and remembers it.
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
	// Where it is known how long the platform waits, that is what matters.
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
		k.relay.log.Error("destination refused", "destination", who, "why", sentence)
	}
}

// pause waits for the back-off, or until the operator says now.
func (k *connection) waitToRetry(ctx context.Context, sentence string) {
	wait := k.history.backoff.Next()
	who := k.update(func(l *endpoint) {
		l.setState(Retrying, sentence)
		wait = l.limitWait(wait, time.Now())
		l.nextTry = time.Now().Add(wait)
	})
	if who != "" {
		k.relay.log.Warn("destination lost", "destination", who, "why", sentence, "wait", wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.retry:
	case <-ctx.Done():
	}
}
