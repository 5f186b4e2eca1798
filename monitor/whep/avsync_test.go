package whep

import (
	"testing"
	"time"

	"obvan/media"
)

func TestVideoIsDelayedForLateAudio(t *testing.T) {
	const period = time.Second / 30
	begin := time.Now()
	// talk is some seconds of a stream whose audio arrives that much after its video.
	talk := func(l *audioOffset, from, seconds int, later func(at time.Duration) time.Duration) {
		for at := time.Duration(from) * time.Second; at < time.Duration(from+seconds)*time.Second; at += period {
			l.frame(&media.AccessUnit{PTS: at}, begin.Add(at))
			heard := &media.AccessUnit{PTS: at, Arrived: begin.Add(at + later(at))}
			l.audio(heard)
			l.audio(heard) // another viewer sees it, too
		}
	}
	always := func(d time.Duration) func(time.Duration) time.Duration {
		return func(time.Duration) time.Duration { return d }
	}
	var l audioOffset
	talk(&l, 0, 5, always(20*time.Millisecond))
	if l.current != 20*time.Millisecond {
		t.Fatalf("audio that arrives almost with its video: %v", l.current)
	}
	talk(&l, 5, 5, func(at time.Duration) time.Duration { return 700*time.Millisecond - at%(700*time.Millisecond) })
	if l.current < 600*time.Millisecond || l.current > 700*time.Millisecond {
		t.Fatalf("audio in bursts of 0.7 s: %v", l.current)
	}
	talk(&l, 10, 3, always(20*time.Millisecond))
	if l.current < 600*time.Millisecond {
		t.Fatalf("one good window makes the video jump to %v", l.current)
	}
	talk(&l, 13, 9, always(20*time.Millisecond))
	if l.current > minOffsetStep {
		t.Fatalf("audio that has come well for long: %v", l.current)
	}
	var made audioOffset
	talk(&made, 0, 5, always(-40*time.Millisecond))
	if made.current != -40*time.Millisecond {
		t.Fatalf("video that arrives later than its audio: %v", made.current)
	}
	talk(&made, 5, 9, always(-time.Second))
	if made.current != -audioBuffering {
		t.Fatalf("video so late that it is shown at once: %v", made.current)
	}
	talk(&l, 22, 5, always(time.Hour))
	if l.current > maxOffset {
		t.Fatalf("a broken clock delays frames by %v", l.current)
	}
}

func TestASmallChangeOfTheDelayIsMadeGradually(t *testing.T) {
	const period = time.Second / 30
	begin := time.Now()
	var l audioOffset
	for at := time.Duration(0); at < 12*time.Second; at += period {
		late := 20 * time.Millisecond
		if at > 5*time.Second {
			late = 100 * time.Millisecond
		}
		before := l.current
		l.frame(&media.AccessUnit{PTS: at}, begin.Add(at))
		if step := l.current - before; step > offsetSlew {
			t.Fatalf("a step of %v", step)
		}
		l.audio(&media.AccessUnit{PTS: at, Arrived: begin.Add(at + late)})
	}
	if l.current != 100*time.Millisecond {
		t.Fatalf("in the end: %v", l.current)
	}
}

func TestBurstyAudioIsSentEvenly(t *testing.T) {
	const period = 20 * time.Millisecond
	const lump = 700 * time.Millisecond
	begin := time.Now()
	var l audioOffset
	var last time.Time
	for at := time.Duration(0); at < 10*time.Second; at += period {
		l.frame(&media.AccessUnit{PTS: at}, begin.Add(at))
		there := begin.Add(at + lump - at%lump)
		heard := &media.AccessUnit{PTS: at, Arrived: there}
		l.audio(heard)
		due := l.due(heard)
		if at > 5*time.Second {
			if due.Before(there.Add(-time.Millisecond)) || due.Sub(last) != period {
				t.Fatalf("what came after %v goes out %v later, %v after the one before", there.Sub(begin), due.Sub(there), due.Sub(last))
			}
		}
		last = due
	}
}

func TestThePlayoutDelayFitsItsField(t *testing.T) {
	for late, want := range map[time.Duration]int{-audioBuffering: 0, -time.Hour: 0, 0: int(audioBuffering.Milliseconds()) / 10, maxOffset: int((maxOffset + audioBuffering).Milliseconds()) / 10, time.Hour: 0xff0} {
		p := playInSync(late)
		low, high := int(p[0])<<4|int(p[1])>>4, int(p[1]&0xf)<<8|int(p[2])
		if low != want || high < low || high < 1000 {
			t.Errorf("%v: %d to %d, want from %d", late, low, high, want)
		}
	}
}
