package obs

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"

	"obvan/mixer"
	"obvan/mixer/obs/wire"
)

// meterSubscribers are the callers of Meters. OBS sends levels only while there are some.
type meterSubscribers struct {
	mu      *sync.Mutex
	all     map[chan []mixer.Meter]struct{}
	changed chan struct{} // has a token when subscribers were added or removed
}

func newMeterSubscribers() meterSubscribers {
	return meterSubscribers{mu: new(sync.Mutex), all: map[chan []mixer.Meter]struct{}{}, changed: make(chan struct{}, 1)}
}

// Meters calls level with the newest levels until ctx is done.
func (m *Mixer) Meters(ctx context.Context, level func([]mixer.Meter)) error {
	newest := make(chan []mixer.Meter, 1)
	m.meterSubscribers.set(newest, true)
	defer m.meterSubscribers.set(newest, false)
	for {
		select {
		case levels := <-newest:
			level(levels)
		case <-ctx.Done():
			return nil
		}
	}
}

func (e *meterSubscribers) set(subscriber chan []mixer.Meter, on bool) {
	e.mu.Lock()
	if on {
		e.all[subscriber] = struct{}{}
	} else {
		delete(e.all, subscriber)
	}
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

func (e *meterSubscribers) any() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all) > 0
}

// subscriptions are the events that a connection subscribes to at its start.
func (m *Mixer) subscriptions() int { return m.meterSubscribers.subscriptions() }

func (e *meterSubscribers) subscriptions() int {
	if e.any() {
		return baseSubscriptions | subscriptions.InputVolumeMeters
	}
	return baseSubscriptions
}

// pump delivers the levels of a connection to all subscribers, and subscribes to them in
// OBS as needed, until ctx or the connection is done.
func (e *meterSubscribers) pump(ctx context.Context, conn *wire.Conn) {
	for {
		var retry <-chan time.Time
		if conn.Subscribe(ctx, e.subscriptions()) != nil {
			retry = time.After(time.Second)
		}
		select {
		case <-e.changed:
		case <-retry:
		case raw := <-conn.Meters():
			e.deliver(raw)
		case <-conn.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

func (e *meterSubscribers) deliver(raw []byte) {
	m, err := wire.DecodeMeters(raw)
	if err != nil {
		return
	}
	levels := meters(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	for subscriber := range e.all {
		select {
		case <-subscriber: // older ones that were not read
		default:
		}
		subscriber <- levels // only this goroutine sends to it
	}
}

func meters(m *events.InputVolumeMeters) []mixer.Meter {
	all := make([]mixer.Meter, 0, len(m.Inputs))
	for _, in := range m.Inputs {
		meter := mixer.Meter{Name: in.Name, RMS: []float64{}, Peak: []float64{}}
		for _, channel := range in.Levels { // magnitude, peak, peak before the fader
			meter.RMS = append(meter.RMS, dBFS(channel[0]))
			meter.Peak = append(meter.Peak, dBFS(channel[1]))
		}
		all = append(all, meter)
	}
	return all
}

// dBFS is a multiplier as decibels, -100 for silence, to a tenth.
func dBFS(mul float64) float64 {
	if !(mul > 1e-5) {
		return -100
	}
	return math.Round(200*math.Log10(mul)) / 10
}
