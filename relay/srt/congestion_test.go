package srt

import (
	"testing"
	"time"
)

// simulatedPath is a path with a queue, and a sender that keeps to a window.
type simulatedPath struct {
	congestionWindow
	now        time.Time
	baseLength time.Duration // round trip without a queue
	rate       float64       // bytes a second
	queue      float64       // bytes in front of its slowest part
	others     float64       // bytes a second that someone else sends, who slows down when the queue is deep
	greedy     bool

	inFlight      []simulatedPacket
	bytesInFlight int
	rtt           time.Duration // as the receiver reports it
	waiting       float64       // bytes the sender has to send
	tokens        float64
	sent          int
}

type simulatedPacket struct{ left, due time.Time }

const (
	simStep  = 2 * time.Millisecond
	simBytes = headerSize + maxPayload
	deep     = 250 * time.Millisecond // how long the others let the queue get
)

func newSimulatedPath(rate float64) *simulatedPath {
	now := time.Unix(1000, 0)
	return &simulatedPath{congestionWindow: newCongestionWindow(DefaultLatency, now), now: now, baseLength: 30 * time.Millisecond, rate: rate, rtt: slackRTT}
}

// run has the sender send a program of that many bytes a second, and returns how much of
// it left.
func (w *simulatedPath) run(long time.Duration, program float64) (part float64) {
	began := w.sent
	step := simStep.Seconds()
	for range int(long / simStep) {
		w.now = w.now.Add(simStep)
		w.queue = max(0, w.queue-w.rate*step)
		w.addOthers(step)
		for len(w.inFlight) > 0 && !w.inFlight[0].due.After(w.now) {
			p := w.inFlight[0]
			w.inFlight, w.bytesInFlight = w.inFlight[1:], w.bytesInFlight-simBytes
			took := p.due.Sub(p.left)
			w.rtt += (took - w.rtt) / 8
			w.addSample(took, w.now)
		}
		w.update(w.rtt, w.now)
		w.waiting += program * step
		w.tokens = min(w.tokens+min(w.speed(w.rtt), 3*program)*step, 8<<10)
		for w.waiting >= simBytes && w.tokens > 0 && w.room(w.bytesInFlight) {
			w.waiting, w.tokens, w.queue = w.waiting-simBytes, w.tokens-simBytes, w.queue+simBytes
			due := w.now.Add(w.baseLength + time.Duration(w.queue/w.rate*float64(time.Second)))
			w.inFlight, w.bytesInFlight = append(w.inFlight, simulatedPacket{w.now, due}), w.bytesInFlight+simBytes
			w.round.sent += simBytes
			w.sent += simBytes
		}
	}
	return float64(w.sent-began) / (program * long.Seconds())
}

// addOthers adds what others send, as TCP does: more and more, until the queue is full.
func (w *simulatedPath) addOthers(step float64) {
	if !w.greedy {
		return
	}
	if w.queue/w.rate > deep.Seconds() {
		w.others *= 0.7
		return
	}
	rtt := w.baseLength.Seconds() + w.queue/w.rate
	w.others += 3 * 1400 / rtt / rtt * step
	w.queue += w.others * step
}

func (w *simulatedPath) queueDelay() time.Duration {
	return time.Duration(w.queue / w.rate * float64(time.Second))
}

func TestAPathThatBecomesLongerIsNotTakenForAFullOne(t *testing.T) {
	for _, longer := range []time.Duration{60, 200, 400} {
		w := newSimulatedPath(1e6)
		if part := w.run(10*time.Second, 400e3); part < 0.95 {
			t.Fatalf("%.2f of the program left at first", part)
		}
		w.baseLength += longer * time.Millisecond
		if part := w.run(10*time.Second, 400e3); part < 0.95 || w.waiting > 100e3 {
			t.Errorf("%d ms longer: %.2f left, %.0f bytes waiting", longer, part, w.waiting)
		}
		w.baseLength = 30 * time.Millisecond
		if part := w.run(10*time.Second, 400e3); part < 0.95 || w.waiting > 100e3 {
			t.Errorf("%d ms shorter: %.2f left, %.0f bytes waiting", longer, part, w.waiting)
		}
	}
}

func TestOtherTrafficDoesNotTakeAllOfThePath(t *testing.T) {
	w := newSimulatedPath(1e6)
	w.run(10*time.Second, 400e3)
	w.greedy, w.others = true, 100e3
	w.run(5*time.Second, 400e3)
	if part := w.run(20*time.Second, 400e3); part < 0.9 {
		t.Errorf("%.2f of the program left", part)
	}
}

func TestOurOwnQueueStaysShort(t *testing.T) {
	for _, slower := range []float64{0.8, 0.5, 0.2} {
		w := newSimulatedPath(1e6)
		w.run(10*time.Second, 400e3)
		w.rate = 400e3 * slower
		w.run(5*time.Second, 400e3)
		for range 100 {
			part := w.run(200*time.Millisecond, 400e3)
			if w.queueDelay() > 2*maxQueueDelay {
				t.Fatalf("the path takes %.1f of it: %v in its queue, %.2f left", slower, w.queueDelay(), part)
			}
		}
		if part := w.run(10*time.Second, 400e3); part < 0.8*slower {
			t.Errorf("the path takes %.1f of it: %.2f left", slower, part)
		}
	}
}
