package program

import (
	"slices"
	"time"
)

// examine looks at the coded sizes of the ladder's streams now and then. What is wrong
// only warns, unless the director said that streams fall for it.
func (r *run) checkHealth(now time.Time) {
	if now.Sub(r.healthChecked) < sampleEvery {
		return
	}
	r.healthChecked = now
	names := r.failoverChain()
	if r.onAir != nil && !slices.Contains(names, r.onAir.name) {
		names = append(names, r.onAir.name)
	}
	for name := range r.health {
		if !slices.Contains(names, name) {
			delete(r.health, name)
		}
	}
	for _, name := range names {
		if r.health[name] == nil {
			r.health[name] = &Health{}
		}
		r.health[name].decoded.Sample, r.health[name].decoded.at = r.lastSample(name)
		r.health[name].Sample(r.hub, name, now)
		if p := r.liveness[name]; p != nil {
			p.fault, _ = r.health[name].fault(r.request.triggers, now)
		}
	}
	if r.onAir != nil {
		name := r.onAir.name
		if fault, is := r.health[name].fault(r.request.triggers, now); is && r.healthyAlternative(now) {
			r.failOver(string(fault))
			r.liveness[name].fault, r.faulty = fault, name
		}
	}
}

// other reports whether a rung is well that is not on air: from a bad picture to a held
// one would be no gain.
func (r *run) healthyAlternative(now time.Time) bool {
	for _, name := range r.failoverChain() {
		if p := r.liveness[name]; name != r.onAir.name && p != nil && p.healthy(now) && !r.health[name].suspected(r.request.triggers) {
			return true
		}
	}
	return false
}

// warnings is what seems to be wrong with the stream on air.
func (r *run) warnings(now time.Time) (words []string) {
	if r.onAir == nil {
		return nil
	}
	v := r.health[r.onAir.name]
	if v == nil {
		return nil
	}
	for _, fault := range v.Faults(now) {
		words = append(words, fault.Text())
	}
	return words
}
