package rtmp

import (
	"sync"
	"time"
)

// sendQueue is what was passed to the system, batch by batch, until the receiving machine
// has it: data in the socket is as late as data that was not written yet.
type sendQueue struct {
	mu      sync.Mutex
	batches [32]batch
	first   int
	count   int
}

// batch is one write.
type batch struct {
	end uint64    // bytes of the session up to its end
	due time.Time // when its oldest unit could have been sent
}

func (q *sendQueue) add(end uint64, due time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == len(q.batches) { // the newest is extended
		q.batches[(q.first+q.count-1)%len(q.batches)].end = end
		return
	}
	q.batches[(q.first+q.count)%len(q.batches)] = batch{end, due}
	q.count++
}

// latency is how long the oldest unit has been due, among those that the receiving machine
// does not have after it took this many bytes.
func (q *sendQueue) latency(drained uint64, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count > 0 && q.batches[q.first].end <= drained {
		q.first, q.count = (q.first+1)%len(q.batches), q.count-1
	}
	if q.count == 0 {
		return 0
	}
	return max(0, now.Sub(q.batches[q.first].due))
}
