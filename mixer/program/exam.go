package program

import (
	"slices"
	"time"
)

// examine looks at the coded sizes of the ladder's streams now and then. What is wrong
// only warns, unless the director said that streams fall for it.
func (r *run) examine(now time.Time) {
	if now.Sub(r.examined) < examineEvery {
		return
	}
	r.examined = now
	names := r.ladder()
	if r.air != nil && !slices.Contains(names, r.air.name) {
		names = append(names, r.air.name)
	}
	for name := range r.vitals {
		if !slices.Contains(names, name) {
			delete(r.vitals, name)
		}
	}
	for _, name := range names {
		if r.vitals[name] == nil {
			r.vitals[name] = &Health{}
		}
		r.vitals[name].seen.Sample, r.vitals[name].seen.at = r.seen(name)
		r.vitals[name].Sample(r.hub, name, now)
		if p := r.pulses[name]; p != nil {
			p.ill, _ = r.vitals[name].ill(r.wish.falls, now)
		}
	}
	if r.air != nil {
		name := r.air.name
		if ill, is := r.vitals[name].ill(r.wish.falls, now); is && r.other(now) {
			r.fall(string(ill))
			r.pulses[name].ill, r.fallen = ill, name
		}
	}
}

// other reports whether a rung is well that is not on air: from a bad picture to a held
// one would be no gain.
func (r *run) other(now time.Time) bool {
	for _, name := range r.ladder() {
		if p := r.pulses[name]; name != r.air.name && p != nil && p.well(now) && !r.vitals[name].suspect(r.wish.falls) {
			return true
		}
	}
	return false
}

// warnings is what seems to be wrong with the stream on air.
func (r *run) warnings(now time.Time) (words []string) {
	if r.air == nil {
		return nil
	}
	v := r.vitals[r.air.name]
	if v == nil {
		return nil
	}
	for _, ill := range v.Faults(now) {
		words = append(words, ill.Text())
	}
	return words
}
