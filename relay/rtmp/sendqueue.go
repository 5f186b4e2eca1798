package rtmp

import (
	"sync"
	"time"
)

// queue is what was handed to the system, batch by batch, until the far end's machine
// has it: what lies in the socket is behind just as what is not written yet.
type sendQueue struct {
	mu      sync.Mutex
	batches [32]batch
	first   int
	count   int
}

// batch is one write.
type batch struct {
	end uint64    // how many bytes the session has had with it
	due time.Time // when its oldest unit could have gone
}

func (q *sendQueue) add(end uint64, due time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count == len(q.batches) { // the newest gets larger
		q.batches[(q.first+q.count-1)%len(q.batches)].end = end
		return
	}
	q.batches[(q.first+q.count)%len(q.batches)] = batch{end, due}
	q.count++
}

// lag is for how long the oldest unit is due, of those that the far end's machine does
// not have when it took so many bytes.
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
