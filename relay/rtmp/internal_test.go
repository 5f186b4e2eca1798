package rtmp

import (
	"testing"
	"time"

	"obvan/media"
	"obvan/media/amf0"
	chunks "obvan/media/rtmp"
)

func TestWhatIsLeftOutOfABacklog(t *testing.T) {
	at := time.Unix(1000, 0)
	b := backlog{limit: 4 * time.Second}
	b.start(time.Hour, at)
	picture := func(dts, age time.Duration, key, disposable bool) bool {
		au := media.AccessUnit{DTS: time.Hour + dts, Key: key, Disposable: disposable}
		return b.keeps(&au, true, age)
	}
	for _, c := range []struct {
		what            string
		age             time.Duration
		key, disposable bool
		keep            bool
	}{
		{"on time", 0, false, true, true},
		{"a little late", 2 * time.Second, false, true, true},
		{"late and disposable", 3 * time.Second, false, true, false},
		{"late and referred to", 3 * time.Second, false, false, true},
		{"too late", 5 * time.Second, false, false, false},
		{"refers to what was left out", 3 * time.Second, false, false, false},
		{"a key frame that is late itself", 3 * time.Second, true, false, false},
		{"refers to that", 1 * time.Second, false, false, false},
		{"a key frame in time", 1 * time.Second, true, false, true},
		{"after it", 1 * time.Second, false, false, true},
		{"a late key frame with nothing broken", 3 * time.Second, true, false, true},
		{"a key frame that is too late", 5 * time.Second, true, false, false},
	} {
		if got := picture(0, c.age, c.key, c.disposable); got != c.keep {
			t.Errorf("%s: kept %v", c.what, got)
		}
	}
	sound := media.AccessUnit{Key: true}
	if !b.keeps(&sound, false, 6*time.Second) || b.keeps(&sound, false, 8*time.Second) {
		t.Error("sound is left out too early or never")
	}
}

func TestABacklogIsMeasuredFromTheLastTimeNothingWaited(t *testing.T) {
	at := time.Unix(1000, 0)
	b := backlog{limit: 4 * time.Second}
	b.start(time.Hour, at)
	if age := b.see(time.Hour+2*time.Second, at); age != 0 {
		t.Errorf("the burst at the beginning is %v late", age)
	}
	b.caughtUp(at.Add(time.Second))
	if age := b.see(time.Hour+3*time.Second, at.Add(2*time.Second)); age != 0 {
		t.Errorf("a unit on time is %v late", age)
	}
	if age := b.see(time.Hour+4*time.Second, at.Add(6*time.Second)); age != 3*time.Second {
		t.Errorf("a unit that waited 3 s is %v late", age)
	}
}

func TestAcknowledgementsAreFollowedPastTheirWrap(t *testing.T) {
	var a acks
	a.sent.Store(1<<32 - 1000)
	a.mark.Store(500)
	a.take(uint32(1<<32 - 5000))
	if !a.proven() || a.acked.Load() != 1<<32-5000 {
		t.Fatalf("acked %d", a.acked.Load())
	}
	a.sent.Store(1<<32 + 9000)
	a.take(2000)
	if got := a.acked.Load(); got != 1<<32+2000 {
		t.Fatalf("acked %d after the wrap", got)
	}
	a.take(20_000) // more than was ever sent
	if got := a.acked.Load(); got != 1<<32+9000 {
		t.Fatalf("acked %d, more than was sent", got)
	}
}

func TestOwedAcknowledgementsAreJudgedByTheServersHabit(t *testing.T) {
	var a acks
	a.mark.Store(1)
	for n := range uint64(6) {
		a.sent.Store((n + 1) * 100_000)
		a.take(uint32((n + 1) * 100_000))
	}
	a.sent.Add(100_000)
	if owed := a.owed(a.sent.Load()); owed != 0 {
		t.Errorf("%d owed, within its habit", owed)
	}
	a.sent.Add(150_000)
	if owed := a.owed(a.sent.Load()); owed != 100_000 {
		t.Errorf("%d owed", owed)
	}
	a.sent.Add(64 << 20) // it reads all that and does not say so
	if owed := a.owed(a.sent.Load()); owed != 0 {
		t.Errorf("%d owed by a server that gave acknowledging up", owed)
	}
	if a.sent.Add(1); a.owed(0) != 0 {
		t.Error("its habit counts again")
	}
}

func TestAcknowledgementsAreAskedForByTime(t *testing.T) {
	var a acks
	a.asked = firstWindow
	now := time.Unix(1000, 0)
	if _, changed := a.window(now); changed {
		t.Fatal("asked before anything was sent")
	}
	a.sent.Add(3_000_000) // 6 Mbit/s
	if size, changed := a.window(now.Add(4 * time.Second)); !changed || size != 525_000 {
		t.Fatalf("asked for %d, %v", size, changed)
	}
	a.sent.Add(2_700_000) // nearly the same
	if size, changed := a.window(now.Add(8 * time.Second)); changed {
		t.Fatalf("asked again, for %d", size)
	}
	a.sent.Add(25_000) // a held picture
	if size, changed := a.window(now.Add(12 * time.Second)); !changed || size != 64<<10 {
		t.Fatalf("asked for %d, %v", size, changed)
	}
}

func FuzzCommand(f *testing.F) {
	about := amf0.Object{{Name: "level", Value: "error"}, {Name: "code", Value: "NetStream.Publish.BadName"}, {Name: "description", Value: "no"}}
	f.Add(amf0.Append(nil, "onStatus", 0, nil, about))
	f.Add(amf0.Append(nil, "_error", 1, nil, about))
	f.Add(amf0.Append(nil, "_result", 4, nil, 1.0))
	f.Add([]byte{2, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		name, _, args, err := command(&chunks.Message{Type: chunks.TypeCommand, Payload: body})
		if err != nil {
			return
		}
		_, err = status(at(args, 1))
		if err == nil && name == "_error" {
			err = refusal(at(args, 1))
		}
		if err != nil && len(err.Error()) > 1200 {
			t.Fatalf("%d bytes of error", len(err.Error()))
		}
	})
}
