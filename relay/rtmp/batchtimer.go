package rtmp

import (
	"time"

	"obvan/hub"
)

// beat is the moments at which all write. They are moments at which the program was
// written: the processor is awake then, and waking it for us alone costs as much as
// several destinations.
type beat struct {
	every   time.Duration // how long a unit may wait for company
	program *hub.Subscriber
	late    *time.Timer   // the program was not written again in time
	last    time.Time     // when it was
	gap     time.Duration // between that and the next time, as far as can be said
}

func newBeat(every time.Duration, program *hub.Subscriber) *beat {
	b := &beat{every: every, program: program, late: time.NewTimer(time.Hour)}
	b.late.Stop()
	return b
}

// await waits for the next, or until there is a token in look.
func (b *beat) await(look <-chan struct{}) {
	defer b.late.Stop()
	defer b.program.SuspendWakeups(time.Time{})
	var first time.Time // when what waits was written
	for {
		select {
		case <-b.program.Ready():
		case <-b.late.C:
			return
		case <-look:
			return
		}
		now := time.Now()
		switch {
		case b.ended() || b.every == 0:
			return
		case first.IsZero():
			first = now
			b.late.Reset(b.every)
			b.program.SuspendWakeups(first.Add(b.every - b.gap)) // what comes before that is not the last
		}
		if now.Sub(first)+b.gap > b.every {
			return
		}
	}
}

// ended goes to the program's end and reports whether that is for good.
func (b *beat) ended() bool {
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
func (b *beat) learn(now time.Time) {
	gap := min(now.Sub(b.last), b.every)
	b.last = now
	switch {
	case gap < together:
	case b.gap == 0:
		b.gap = gap
	default:
		b.gap += (gap - b.gap) / 8
	}
}

// together is what is written within so short a time.
const together = 5 * time.Millisecond
