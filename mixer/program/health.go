package program

import (
	"slices"
	"time"
)

// checkHealth looks at the frame sizes of the failover chain's streams now and then. A
// fault only causes a warning, unless it is set as a failover trigger.
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

// healthyAlternative reports whether a stream that is not on air is healthy: a freeze
// frame would be no better than faulty video.
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
