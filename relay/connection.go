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
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second

	// A platform may take our old session for alive after the connection broke and
	// refuse the new one until it gives the old one up: Twitch and YouTube wait 60 to
	// 90 s, nginx-rtmp its ping timeout. For so long a refusal is retried, see givesUp.
	ghostLasts = 2 * time.Minute

	// triesInGrace is at least how many attempts fall into the time for which a platform
	// keeps the broadcast without data, as far as they fail at once.
	triesInGrace = 3

	// A far end that proves nothing for so long is given up, where it is not known how
	// long the platform waits; else for a share of that. A moment's hiccup is no reason:
	// a new connection costs viewers more.
	usualStall = 10 * time.Second
	leastStall = 2 * time.Second

	hangUps       = 3 // so many closes right after agreeing are a refusal
	puzzling      = 3 // so many failures in a row are more than a hiccup
	triesPerURL   = 2 // then it is the other address's turn
	waitingReason = "waiting for the program"
)

// share is the part of the grace that one attempt may take; 0 when it is not known.
func (p ReconnectWindow) share() time.Duration { return p.Grace / (triesInGrace + 1) }

// stall is for how long a far end may prove nothing.
func (p ReconnectWindow) stall() time.Duration {
	if p.Grace == 0 {
		return usualStall
	}
	return max(p.share(), leastStall)
}

// keeper keeps one leg connected until it is cancelled. Its own fields are for its
// goroutine, except cancel, again and those that the relay's mutex guards.
type keeper struct {
	relay  *Relay
	leg    *leg
	cancel context.CancelFunc
	again  chan struct{} // a token: retry now
	ended  chan struct{} // closed when run returns
	before *keeper       // has to end first: a platform takes one session for a key

	meter *meter                  // of the attempt that runs; guarded by relay.mu
	mute  time.Time               // when it, once live, last took no data; zero while all is well; guarded by relay.mu
	drop  context.CancelCauseFunc // ends the attempt; guarded by relay.mu

	limit limit
	past  record
}

// record is what judging a failure needs to know of those before it.
type record struct {
	backoff  retry.Backoff
	failures int       // in a row
	closes   int       // right after agreeing, in a row
	began    time.Time // the first attempt
	lastLive time.Time // zero when it never was
	liveAt   string    // the host where
	lost     time.Time // when a session was lost that a far end had agreed to, and may not know of it

	coded *media.Tracks // how the program is that the last attempt came to
}

func newRecord() record { return record{backoff: retry.Backoff{Min: firstRetry, Max: lastRetry}} }

// retryNow ends a wait.
func (k *keeper) retryNow() {
	select {
	case k.again <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	defer k.end()
	if k.before != nil {
		<-k.before.ended // it was cancelled, so it ends within two seconds
		k.before = nil
	}
	k.past = newRecord()
	for ctx.Err() == nil {
		sub, err := k.await(ctx)
		if err != nil {
			return
		}
		link, host, err := k.attempt(ctx, sub)
		sub.Close()
		if ctx.Err() != nil {
			return
		}
		if err != nil { // nil: the program ended, and everything was said properly
			k.judge(ctx, link, host, err)
		}
	}
}

// end leaves the leg off, unless another keeper has taken over.
func (k *keeper) end() {
	r := k.relay
	r.mu.Lock()
	k.settle()
	if k.leg.keeper == k {
		k.leg.keeper = nil
		k.leg.become(Off, "")
	}
	r.mu.Unlock()
	close(k.ended)
	k.cancel()
	r.note()
	r.keepers.Done()
}

// settle adds what the attempt counted to the leg; relay.mu is held.
func (k *keeper) settle() {
	if k.meter != nil {
		k.leg.past = k.leg.past.plus(k.meter.link)
		k.meter, k.mute, k.drop = nil, time.Time{}, nil
	}
}

// tell notes a state, unless the leg has another keeper by now or was stopped. It
// returns what operators call it, "" when nothing was noted.
func (k *keeper) tell(do func(l *leg)) (who string) {
	r := k.relay
	r.mu.Lock()
	if k.leg.keeper == k && k.leg.wanted() {
		do(k.leg)
		who = k.leg.who()
	}
	r.mu.Unlock()
	r.note()
	return who
}

// await waits until the program has a picture (or only sound) to start with, and
// reads it from there. Dialling earlier would hold a silent session open, which
// platforms end.
func (k *keeper) await(ctx context.Context) (*hub.Subscriber, error) {
	if st, ok := k.relay.hub.Stream(hub.Program); !ok || st.Keyframes+st.AudioFrames == 0 {
		k.tell(func(l *leg) { l.become(Connecting, waitingReason) })
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
		if err = k.fallBack(ctx, sub); err != nil {
			sub.Close()
			return nil, err
		}
		return sub, nil
	}
}

// attempt is one connection, from dial to its end.
func (k *keeper) attempt(ctx context.Context, sub *hub.Subscriber) (*Link, string, error) {
	var u *url.URL
	var err error
	link := NewLink(k.live)
	select {
	case <-k.again: // it was meant for a wait that is over
	default:
	}
	within, drop := context.WithCancelCause(ctx)
	defer drop(nil)
	k.tell(func(l *leg) {
		u, err = k.relay.outputs.address(l.address(), l.dest.key)
		l.attempt++
		l.become(Connecting, "")
		k.meter, k.drop = newMeter(link, time.Now()), drop
	})
	if u == nil || err != nil {
		return link, "", err // stopped meanwhile, or Put checked badly
	}
	if k.past.began.IsZero() {
		k.past.began = time.Now()
	}
	sieve := k.limit.sieve(link)
	sub.FilterWhile(sieve.works, sieve.keeps)
	k.past.coded = sub.Tracks()
	err = k.relay.outputs[u.Scheme].Push(within, u, sub, link)
	if sieve.coded != nil {
		k.past.coded = sieve.coded
	}
	if Abandoned(within) {
		err = context.Cause(within)
	}
	k.relay.mu.Lock()
	if k.meter != nil && link.IsLive() {
		k.leg.starved(k.meter.proven(time.Now()))
	}
	k.settle()
	k.relay.mu.Unlock()
	return link, u.Host, err
}

// live is told by the output.
func (k *keeper) live() {
	if who := k.tell(func(l *leg) { l.become(Live, ""); l.starves = time.Time{} }); who != "" {
		k.relay.log.Info("destination live", "destination", who)
	}
}

// look takes the word "live" away from a far end that stopped proving it, gives it
// back, and gives the connection up when it has been silent for too long; relay.mu is
// held. Outputs only say what they see: how long to wait is decided here.
func (k *keeper) look(now time.Time, programKbps int) {
	l := k.leg
	k.meter.take(now)
	silent, stopped := k.meter.silence(now)
	switch {
	case silent > 0 && (l.state == Live || !k.mute.IsZero()):
		if k.mute.IsZero() {
			defer k.relay.note()
		}
		k.mute = now
		l.starved(now.Add(-silent))
		l.become(Retrying, fmt.Sprintf("%s stopped %s %d s ago", l.who(), stopped, int(silent.Seconds())))
	case silent == 0 && !k.mute.IsZero() && now.Sub(k.mute) < steadyAfter:
		l.become(Retrying, l.who()+" takes data again, not steadily yet")
		l.starves = time.Time{}
	case silent == 0 && !k.mute.IsZero():
		k.mute = time.Time{}
		l.become(Live, "")
		k.relay.note()
	case l.state == Live:
		if l.reason = k.meter.late(l.who(), programKbps); l.reason == "" {
			l.reason = k.limit.says(l.who(), now, programKbps)
		}
	}
	if silent >= l.dest.spec.ReconnectWindow.stall() && !k.meter.link.acceptedAt().IsZero() {
		k.drop(ErrStalled)
	}
}

// judge decides what an attempt's failure means, says so, and waits accordingly.
func (k *keeper) judge(ctx context.Context, link *Link, host string, err error) {
	now := time.Now()
	what := classify(err, link, now)
	k.count(what, link, now)
	f := failure{err: err, what: what, host: host, met: k.past.met(link, host), again: k.past.failures >= puzzling}
	var sentence string
	if k.tell(func(l *leg) { sentence = k.sentence(l, f) }) == "" {
		return // stopped, or replaced
	}
	switch {
	case what == unsupported:
		k.refuse(sentence)
		k.waitForChange(ctx)
	case k.givesUp(what, now):
		k.refuse(sentence)
		select {
		case <-k.again:
			k.past = newRecord() // the operator says try again
		case <-ctx.Done():
		}
	default:
		k.pause(ctx, sentence)
	}
}

// count keeps the books on which patience and the backup address depend.
func (k *keeper) count(what class, link *Link, now time.Time) {
	if link.IsLive() {
		k.past.lastLive = now
		if at := link.acceptedAt(); now.Sub(at) >= settledAfter {
			k.past.backoff.Reset()
			k.past.failures = 0
		}
	}
	if (what == network || what == stalled) && !link.acceptedAt().IsZero() {
		k.past.lost = now
	}
	k.past.failures++
	if what == hungUp {
		k.past.closes++
	} else {
		k.past.closes = 0
	}
	if k.past.failures%triesPerURL == 0 {
		k.tell(func(l *leg) {
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
func (k *keeper) givesUp(what class, now time.Time) bool {
	since := k.past.lastLive
	if what == busy && k.past.lost.After(since) {
		since = k.past.lost
	}
	if what == busy && since.IsZero() {
		since = k.past.began
	}
	if !since.IsZero() && now.Sub(since) < ghostLasts {
		return false
	}
	return what == refused || what == busy || what == hungUp && k.past.closes >= hangUps
}

// met is how well the far end at a host is known after an attempt, and remembers it.
func (r *record) met(link *Link, host string) met {
	if link.IsLive() {
		r.liveAt = host
	}
	switch {
	case r.liveAt == host && host != "":
		return known
	case !link.acceptedAt().IsZero(), !r.lastLive.IsZero(): // the latter at its other address
		return agreed
	}
	return stranger
}

func (k *keeper) sentence(l *leg, f failure) string {
	d := l.dest
	// Where it is known how long the platform waits, that is what matters.
	f.again = f.again && d.spec.ReconnectWindow.Grace == 0
	s := explain(l.who(), f)
	secrets := []string{d.key}
	for _, raw := range []string{d.spec.URL, d.spec.BackupURL} {
		if u, err := k.relay.outputs.address(raw, d.key); err == nil {
			secrets = append(secrets, Secrets(u)...)
		}
	}
	return redact.Text(s, secrets...)
}

func (k *keeper) refuse(sentence string) {
	if who := k.tell(func(l *leg) { l.become(Refused, sentence) }); who != "" {
		k.relay.log.Error("destination refused", "destination", who, "why", sentence)
	}
}

// pause waits for the back-off, or until the operator says now.
func (k *keeper) pause(ctx context.Context, sentence string) {
	wait := k.past.backoff.Next()
	who := k.tell(func(l *leg) {
		l.become(Retrying, sentence)
		wait = l.urgent(wait, time.Now())
		l.nextTry = time.Now().Add(wait)
	})
	if who != "" {
		k.relay.log.Warn("destination lost", "destination", who, "why", sentence, "wait", wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-k.again:
	case <-ctx.Done():
	}
}
