package program

import (
	"time"

	"obvan/hub"
)

// Sight is what a decoder saw in the newest key picture of a stream.
type Sample struct {
	Stream string
	Black  bool // it is black, or of one colour
	Frozen bool // it is the one before
}

// eye is what a decoder, where there is one, should look at, and what it saw.
type eye struct {
	on    string        // the stream
	moved chan struct{} // closes when that changes
	saw   Sample
	at    time.Time
}

// Saw takes what a decoder saw. Coded sizes are all that is known of streams without.
func (p *Program) Saw(s Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.eye.saw, p.eye.at = s, time.Now()
}

// Watched is the stream that a decoder should look at, "" for none, and a channel that
// closes when that changes: the one on air, or one that fell for its picture, so that it
// is known when that is well again.
func (p *Program) Watched() (stream string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.eye.on, p.eye.moved
}

// watch makes stream the one to look at.
func (p *Program) watch(stream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.eye.on == stream {
		return
	}
	p.eye.on = stream
	close(p.eye.moved)
	p.eye.moved = make(chan struct{})
}

// seen is what a decoder saw of the stream, and when; the zero time for nothing.
func (p *Program) seen(stream string) (Sample, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.eye.saw.Stream != stream {
		return Sample{}, time.Time{}
	}
	return p.eye.saw, p.eye.at
}

// glance has a decoder look at the stream on air, or at the one that fell for what it
// showed as long as it does.
func (r *run) glance() {
	if v := r.vitals[r.fallen]; r.fallen != "" && (v == nil || !v.suspect(r.wish.falls) || r.air != nil && r.air.name == r.fallen) {
		r.fallen = ""
	}
	switch {
	case r.fallen != "":
		r.watch(r.fallen)
	case r.air != nil:
		r.watch(r.air.name)
	default:
		r.watch("")
	}
}

// decoded is what a decoder saw of a stream lately.
type decoded struct {
	Sample
	at time.Time
}

// fresh reports whether it is of the newest pictures: one of the last two key frames.
func (d *decoded) fresh(st *hub.Stats, now time.Time) bool {
	return !d.at.IsZero() && now.Sub(d.at) < 2*st.KeyframeInterval+decodedLasts
}

// decodedLasts is how long a decoder may take.
const decodedLasts = 3 * time.Second
