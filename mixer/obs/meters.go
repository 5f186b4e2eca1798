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

// ears are those who look at the meters. OBS sends them only while there are some.
type ears struct {
	mu      *sync.Mutex
	all     map[chan []mixer.Meter]struct{}
	changed chan struct{} // has a token when the first came or the last went
}

func newEars() ears {
	return ears{mu: new(sync.Mutex), all: map[chan []mixer.Meter]struct{}{}, changed: make(chan struct{}, 1)}
}

// Meters hands on levels until ctx is done.
func (m *Mixer) Meters(ctx context.Context, level func([]mixer.Meter)) error {
	newest := make(chan []mixer.Meter, 1)
	m.ears.set(newest, true)
	defer m.ears.set(newest, false)
	for {
		select {
		case levels := <-newest:
			level(levels)
		case <-ctx.Done():
			return nil
		}
	}
}

func (e *ears) set(ear chan []mixer.Meter, on bool) {
	e.mu.Lock()
	if on {
		e.all[ear] = struct{}{}
	} else {
		delete(e.all, ear)
	}
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

func (e *ears) some() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all) > 0
}

// subscriptions are the events to hear on this connection from its start.
func (m *Mixer) subscriptions() int { return m.ears.subscriptions() }

func (e *ears) subscriptions() int {
	if e.some() {
		return always | subscriptions.InputVolumeMeters
	}
	return always
}

// pump hands the levels of a connection to all ears, and tells OBS whether to send
// them, until ctx or the connection is done.
func (e *ears) pump(ctx context.Context, conn *wire.Conn) {
	for {
		var retry <-chan time.Time
		if conn.Hear(ctx, e.subscriptions()) != nil {
			retry = time.After(time.Second)
		}
		select {
		case <-e.changed:
		case <-retry:
		case raw := <-conn.Meters():
			e.hand(raw)
		case <-conn.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

func (e *ears) hand(raw []byte) {
	m, err := wire.DecodeMeters(raw)
	if err != nil {
		return
	}
	levels := meters(m)
	e.mu.Lock()
	defer e.mu.Unlock()
	for ear := range e.all {
		select {
		case <-ear: // older ones nobody took
		default:
		}
		ear <- levels // only this goroutine fills it
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
