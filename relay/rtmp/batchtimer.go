package rtmp

import (
	"time"

	"obvan/hub"
)

// beat is the moments at which all write. They are moments at which the program was
// written: the processor is awake then, and waking it for us alone costs as much as
// several destinations.
type timer struct {
	maxWait   time.Duration // how long a unit may wait for company
	program   *hub.Subscriber
	timer     *time.Timer   // the program was not written again in time
	lastWrite time.Time     // when it was
	interval  time.Duration // between that and the next time, as far as can be said
}

func newBatchTimer(every time.Duration, program *hub.Subscriber) *timer {
	b := &timer{maxWait: every, program: program, timer: time.NewTimer(time.Hour)}
	b.timer.Stop()
	return b
}

// await waits for the next, or until there is a token in look.
func (b *timer) await(look <-chan struct{}) {
	defer b.timer.Stop()
	defer b.program.SuspendWakeups(time.Time{})
	var first time.Time // when what waits was written
	for {
		select {
		case <-b.program.Ready():
		case <-b.timer.C:
			return
		case <-look:
			return
		}
		now := time.Now()
		switch {
		case b.ended() || b.maxWait == 0:
			return
		case first.IsZero():
			first = now
			b.timer.Reset(b.maxWait)
			b.program.SuspendWakeups(first.Add(b.maxWait - b.interval)) // what comes before that is not the last
		}
		if now.Sub(first)+b.interval > b.maxWait {
			return
		}
	}
}

// ended goes to the program's end and reports whether that is for good.
func (b *timer) ended() bool {
	for {
		au, err := b.program.TryNext()
		if err != nil {
			return err != hub.ErrNotYet
		}
		b.learn(au.Arrived)
	}
}

// learn notes that the program was written. Sound and pictures that come together say
// nothing about when the next come. A guess that is too short costs nothing but time:
// then what waits is late.
func (b *timer) learn(now time.Time) {
	gap := min(now.Sub(b.lastWrite), b.maxWait)
	b.lastWrite = now
	switch {
	case gap < burstWithin:
	case b.interval == 0:
		b.interval = gap
	default:
		b.interval += (gap - b.interval) / 8
	}
}

// together is what is written within so short a time.
const burstWithin = 5 * time.Millisecond
