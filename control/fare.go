package control

import (
	"fmt"
	"slices"
	"time"

	"obvan/relay"
)

// A destination that comes and goes is said so once; then the log has room for what
// else happens, until it was steady for a while.
const (
	oftenLost = 4 // times, each within steadyFor of the one before
	steadyFor = time.Minute
)

// fickle is how often something broke lately.
type fickle struct {
	lost int
	last time.Time // that it was lost
}

func (f *fickle) unsteady() bool { return f.lost >= oftenLost }

// broke counts a loss, with those shortly before it. It reports whether there is to be
// said more of them.
func (f *fickle) broke(now time.Time) (say bool) {
	if now.Sub(f.last) >= steadyFor {
		f.lost = 0
	}
	f.lost, f.last = f.lost+1, now
	return f.lost <= oftenLost
}

// recovered reports whether what is well now was unsteady before and is so no more.
func (f *fickle) recovered(now time.Time) bool {
	if !f.unsteady() || now.Sub(f.last) < steadyFor {
		return false
	}
	f.lost = 0
	return true
}

// comesAndGoes is what is said of something that broke once too often.
const comesAndGoes = "%s comes and goes. That is not said here any more until it is steady for a minute; its light tells."

// fare is what the log said last of a destination, and how often it broke.
type fare struct {
	state relay.State
	fickle
}

// relayNews is what changed at the destinations. Connecting is no news, and neither
// is retrying again. t.mu is held.
func (t *told) relayNews(all []relay.Status, now time.Time) (news []LogEntry) {
	for i := range all {
		f := t.destinations[all[i].ID]
		if f == nil {
			f = &fare{}
			t.destinations[all[i].ID] = f
		}
		news = append(news, f.news(&all[i], now)...)
	}
	for id := range t.destinations { // another that gets its id later is another
		if !slices.ContainsFunc(all, func(st relay.Status) bool { return st.ID == id }) {
			delete(t.destinations, id)
		}
	}
	return news
}

func (f *fare) news(st *relay.Status, now time.Time) (news []LogEntry) {
	say := func(level Level, format string, args ...any) {
		news = append(news, LogEntry{Level: level, Text: fmt.Sprintf(format, args...)})
	}
	was := f.state
	if st.State == relay.Live && f.recovered(now) {
		f.state = relay.Live
		say(Info, "%s is live, and steady again.", st.Name)
		return news
	}
	if st.State == was || st.State == relay.Connecting {
		return nil
	}
	f.state = st.State
	switch st.State {
	case relay.Live:
		if !f.unsteady() {
			say(Info, "%s is live.", st.Name)
		}
	case relay.Retrying:
		if !f.broke(now) {
			return nil
		}
		say(Warn, "%s", about(st.Name, or(st.Reason, "it is not reached and will be tried again")))
		if f.unsteady() {
			say(Warn, comesAndGoes, st.Name)
		}
	case relay.Refused:
		f.lost = 0
		say(Error, "%s", about(st.Name, or(st.Reason, "it refused the stream and gave no reason")))
	case relay.Off:
		if f.lost = 0; was != "" {
			say(Info, "%s is off.", st.Name)
		}
	}
	return news
}
