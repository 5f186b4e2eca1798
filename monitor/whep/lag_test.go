package whep

import (
	"testing"
	"time"

	"obvan/media"
)

func TestPicturesWaitForASoundThatComesLater(t *testing.T) {
	const period = time.Second / 30
	begin := time.Now()
	// talk is some seconds of a stream whose sound comes so much after its picture.
	talk := func(l *lag, from, seconds int, later func(at time.Duration) time.Duration) {
		for at := time.Duration(from) * time.Second; at < time.Duration(from+seconds)*time.Second; at += period {
			l.picture(&media.AccessUnit{PTS: at, Arrived: begin.Add(at)})
			heard := &media.AccessUnit{PTS: at, Arrived: begin.Add(at + later(at))}
			l.sound(heard)
			l.sound(heard) // another viewer sees it, too
		}
	}
	always := func(d time.Duration) func(time.Duration) time.Duration {
		return func(time.Duration) time.Duration { return d }
	}
	var l lag
	talk(&l, 0, 5, always(20*time.Millisecond))
	if l.late > lagStep {
		t.Fatalf("sound that comes with the picture: %v", l.late)
	}
	talk(&l, 5, 5, func(at time.Duration) time.Duration { return 700*time.Millisecond - at%(700*time.Millisecond) })
	if l.late < 600*time.Millisecond || l.late > 700*time.Millisecond {
		t.Fatalf("sound in lumps of 0.7 s: %v", l.late)
	}
	talk(&l, 10, 3, always(20*time.Millisecond))
	if l.late < 600*time.Millisecond {
		t.Fatalf("one good window makes the picture jump to %v", l.late)
	}
	talk(&l, 13, 9, always(20*time.Millisecond))
	if l.late > lagStep {
		t.Fatalf("sound that has come well for long: %v", l.late)
	}
	talk(&l, 22, 5, always(time.Hour))
	if l.late > lagMost {
		t.Fatalf("a broken clock holds pictures back by %v", l.late)
	}
}

func TestTheDelayThatBrowsersAreToldFits(t *testing.T) {
	for _, late := range []time.Duration{0, 25 * time.Millisecond, lagMost, time.Hour} {
		for _, most := range []playout{playAtOnce, playSmooth} {
			p := playInSync(late, most)
			low, high := int(p[0])<<4|int(p[1])>>4, int(p[1]&0xf)<<8|int(p[2])
			if low < 11 || high < low || high > 0xfff || most == playSmooth && high < 1000 {
				t.Errorf("%v: %d to %d", late, low, high)
			}
		}
	}
}
