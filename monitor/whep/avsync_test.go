package whep

import (
	"testing"
	"time"

	"obvan/media"
)

func TestVideoIsDelayedForLateAudio(t *testing.T) {
	const period = time.Second / 30
	begin := time.Now()
	// feed feeds o with some seconds of a stream whose audio arrives later than its video by later.
	feed := func(o *audioOffset, from, seconds int, later func(at time.Duration) time.Duration) {
		for at := time.Duration(from) * time.Second; at < time.Duration(from+seconds)*time.Second; at += period {
			o.frame(&media.AccessUnit{PTS: at}, begin.Add(at))
			audio := &media.AccessUnit{PTS: at, Arrived: begin.Add(at + later(at))}
			o.audio(audio)
			o.audio(audio) // another viewer reports it, too
		}
	}
	always := func(d time.Duration) func(time.Duration) time.Duration {
		return func(time.Duration) time.Duration { return d }
	}
	var o audioOffset
	feed(&o, 0, 5, always(20*time.Millisecond))
	if o.current != 20*time.Millisecond {
		t.Fatalf("audio that arrives almost with its video: %v", o.current)
	}
	feed(&o, 5, 5, func(at time.Duration) time.Duration { return 700*time.Millisecond - at%(700*time.Millisecond) })
	if o.current < 600*time.Millisecond || o.current > 700*time.Millisecond {
		t.Fatalf("audio in bursts of 0.7 s: %v", o.current)
	}
	feed(&o, 10, 3, always(20*time.Millisecond))
	if o.current < 600*time.Millisecond {
		t.Fatalf("one good window makes the video jump to %v", o.current)
	}
	feed(&o, 13, 9, always(20*time.Millisecond))
	if o.current > minOffsetStep {
		t.Fatalf("audio that has been on time for several windows: %v", o.current)
	}
	var lowRes audioOffset
	feed(&lowRes, 0, 5, always(-40*time.Millisecond))
	if lowRes.current != -40*time.Millisecond {
		t.Fatalf("video that arrives later than its audio: %v", lowRes.current)
	}
	feed(&lowRes, 5, 9, always(-time.Second))
	if lowRes.current != -audioBuffering {
		t.Fatalf("video so late that it is shown immediately: %v", lowRes.current)
	}
	feed(&o, 22, 5, always(time.Hour))
	if o.current > maxOffset {
		t.Fatalf("a broken clock delays frames by %v", o.current)
	}
}

func TestASmallChangeOfTheDelayIsMadeGradually(t *testing.T) {
	const period = time.Second / 30
	begin := time.Now()
	var o audioOffset
	for at := time.Duration(0); at < 12*time.Second; at += period {
		late := 20 * time.Millisecond
		if at > 5*time.Second {
			late = 100 * time.Millisecond
		}
		before := o.current
		o.frame(&media.AccessUnit{PTS: at}, begin.Add(at))
		if step := o.current - before; step > offsetSlew {
			t.Fatalf("a step of %v", step)
		}
		o.audio(&media.AccessUnit{PTS: at, Arrived: begin.Add(at + late)})
	}
	if o.current != 100*time.Millisecond {
		t.Fatalf("after 12 s the offset is %v", o.current)
	}
}

func TestBurstyAudioIsSentEvenly(t *testing.T) {
	const period = 20 * time.Millisecond
	const burst = 700 * time.Millisecond
	begin := time.Now()
	var o audioOffset
	var last time.Time
	for at := time.Duration(0); at < 10*time.Second; at += period {
		o.frame(&media.AccessUnit{PTS: at}, begin.Add(at))
		arrived := begin.Add(at + burst - at%burst)
		audio := &media.AccessUnit{PTS: at, Arrived: arrived}
		o.audio(audio)
		due := o.due(audio)
		if at > 5*time.Second {
			if due.Before(arrived.Add(-time.Millisecond)) || due.Sub(last) != period {
				t.Fatalf("a packet that arrived after %v is sent %v later, %v after the one before", arrived.Sub(begin), due.Sub(arrived), due.Sub(last))
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
