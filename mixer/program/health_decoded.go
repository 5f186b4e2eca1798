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
type decoderWatch struct {
	stream  string        // the stream
	changed chan struct{} // closes when that changes
	sample  Sample
	at      time.Time
}

// Saw takes what a decoder saw. Coded sizes are all that is known of streams without.
func (p *Program) ReportSample(s Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decoder.sample, p.decoder.at = s, time.Now()
}

// Watched is the stream that a decoder should look at, "" for none, and a channel that
// closes when that changes: the one on air, or one that fell for its picture, so that it
// is known when that is well again.
func (p *Program) Watched() (stream string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.decoder.stream, p.decoder.changed
}

// watch makes stream the one to look at.
func (p *Program) setWatched(stream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.decoder.stream == stream {
		return
	}
	p.decoder.stream = stream
	close(p.decoder.changed)
	p.decoder.changed = make(chan struct{})
}

// seen is what a decoder saw of the stream, and when; the zero time for nothing.
func (p *Program) lastSample(stream string) (Sample, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.decoder.sample.Stream != stream {
		return Sample{}, time.Time{}
	}
	return p.decoder.sample, p.decoder.at
}

// glance has a decoder look at the stream on air, or at the one that fell for what it
// showed as long as it does.
func (r *run) updateWatched() {
	if v := r.health[r.faulty]; r.faulty != "" && (v == nil || !v.suspected(r.request.triggers) || r.onAir != nil && r.onAir.name == r.faulty) {
		r.faulty = ""
	}
	switch {
	case r.faulty != "":
		r.setWatched(r.faulty)
	case r.onAir != nil:
		r.setWatched(r.onAir.name)
	default:
		r.setWatched("")
	}
}

// decoded is what a decoder saw of a stream lately.
type decoded struct {
	Sample
	at time.Time
}

// fresh reports whether it is of the newest pictures: one of the last two key frames.
func (d *decoded) recent(st *hub.Stats, now time.Time) bool {
	return !d.at.IsZero() && now.Sub(d.at) < 2*st.KeyframeInterval+decoderLatency
}

// decodedLasts is how long a decoder may take.
const decoderLatency = 3 * time.Second
