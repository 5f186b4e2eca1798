package rtmp

import (
	"time"

	"obvan/hub"
)

// batchTimer decides when all destinations are written to. It picks moments at which the
// program was written: the processor is awake then, and waking it for us alone costs as
// much as several destinations.
type batchTimer struct {
	maxWait   time.Duration // how long a unit may wait for others
	program   *hub.Subscriber
	timer     *time.Timer   // the program was not written again in time
	lastWrite time.Time     // when the program was last written
	interval  time.Duration // expected time between two writes
}

func newBatchTimer(every time.Duration, program *hub.Subscriber) *batchTimer {
	b := &batchTimer{maxWait: every, program: program, timer: time.NewTimer(time.Hour)}
	b.timer.Stop()
	return b
}

// await waits for the next moment, or until there is a token in wakeUp.
func (b *batchTimer) await(wakeUp <-chan struct{}) {
	defer b.timer.Stop()
	defer b.program.SuspendWakeups(time.Time{})
	var first time.Time // when the first waiting unit was written
	for {
		select {
		case <-b.program.Ready():
		case <-b.timer.C:
			return
		case <-wakeUp:
			return
		}
		now := time.Now()
		switch {
		case b.ended() || b.maxWait == 0:
			return
		case first.IsZero():
			first = now
			b.timer.Reset(b.maxWait)
			b.program.SuspendWakeups(first.Add(b.maxWait - b.interval)) // a unit that arrives before that is not the last
		}
		if now.Sub(first)+b.interval > b.maxWait {
			return
		}
	}
}

// ended reads to the program's newest unit and reports whether the program has ended.
func (b *batchTimer) ended() bool {
	for {
		au, err := b.program.TryNext()
		if err != nil {
			return err != hub.ErrNotYet
		}
		b.learn(au.Arrived)
	}
}

// learn notes that the program was written. Audio and video written together say nothing
// about when the next units come. An interval that is too short only costs time: what is
// waiting is then late.
func (b *batchTimer) learn(now time.Time) {
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

// burstWithin is the time within which units count as written together.
const burstWithin = 5 * time.Millisecond
