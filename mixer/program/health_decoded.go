package program

import (
	"time"

	"obvan/hub"
)

// Sample is what a decoder found in the newest keyframe of a stream.
type Sample struct {
	Stream string
	Black  bool // it is black, or one flat color
	Frozen bool // it is the same as the one before
}

// decoderWatch is which stream a decoder, where there is one, should sample, and what
// it found.
type decoderWatch struct {
	stream  string
	changed chan struct{} // closes when that changes
	sample  Sample
	at      time.Time
}

// ReportSample takes what a decoder found. Frame sizes are all that is known of streams
// that are not decoded.
func (p *Program) ReportSample(s Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.decoder.sample, p.decoder.at = s, time.Now()
}

// Watched is the stream that a decoder should sample, "" for none, and a channel that
// closes when that changes: the one on air, or one that was taken off air for a fault of
// its video, so that it is known when that is healthy again.
func (p *Program) Watched() (stream string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.decoder.stream, p.decoder.changed
}

// setWatched makes stream the one to sample.
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

// lastSample is what a decoder found in the stream, and when; the zero time for nothing.
func (p *Program) lastSample(stream string) (Sample, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.decoder.sample.Stream != stream {
		return Sample{}, time.Time{}
	}
	return p.decoder.sample, p.decoder.at
}

// updateWatched has a decoder sample the stream on air, or the one that was taken off
// air for a fault as long as it has it.
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

// decoded is what a decoder last found in a stream.
type decoded struct {
	Sample
	at time.Time
}

// recent reports whether the sample is of one of the last two keyframes.
func (d *decoded) recent(st *hub.Stats, now time.Time) bool {
	return !d.at.IsZero() && now.Sub(d.at) < 2*st.KeyframeInterval+decoderLatency
}

// decoderLatency is how long a decoder may take.
const decoderLatency = 3 * time.Second
