package program

import (
	"encoding/binary"
	"slices"
	"time"

	"obvan/hub"
	"obvan/media"
)

// Ill is something that is wrong with a stream though its pictures come.
type Fault string

// What can be wrong. All of it is guessed from coded sizes; what is on air is also
// decoded now and then, where that is possible.
const (
	Frozen      Fault = "freeze"    // the picture does not change
	Black       Fault = "black"     // nor has it anything in it
	Silence     Fault = "silence"   // the sound is silence, or does not come
	LowBitrate  Fault = "bitrate"   // far less comes than a while ago
	NoKeyframes Fault = "keyframes" // no keyframe has arrived for a while
)

// Ills is all that a stream can be told to fall for.
func Faults() []Fault { return []Fault{Frozen, Black, Silence, LowBitrate, NoKeyframes} }

const (
	// illAfter is how long something has to be wrong: a still moment is none.
	illAfter = 5 * time.Second
	// examineEvery is how often a stream is looked at.
	// It is no divisor of usual key frame intervals: each look would see the same
	// few pictures after a key frame.
	examineEvery = 900 * time.Millisecond
	// enough is how many pictures, or frames of sound, a look has to see to say much.
	enough = 5
	// refined is how many pictures after a key frame say nothing: encoders improve on
	// it there, also of a picture that stands still.
	refined = 15
	// mostExamined bounds one look.
	mostExamined = 1024
	// keysLate is how late a key frame may be, on top of twice the usual time.
	keysLate = 4 * time.Second
	// usual is over how long the usual bitrate is averaged; below little it says
	// nothing.
	usual  = 30 * time.Second
	little = 200_000
)

// Vitals is what a stream's coded sizes, and a decoder, say of its health. It is for one
// goroutine.
type Health struct {
	since map[Fault]time.Time // what looks wrong, and since when

	seen   decoded // by the program's decoder, where there is one
	still  bool    // by the sizes of what is coded
	looked time.Time
	stream time.Time // when it was published: another one starts anew
	bytes  uint64
	rate   float64 // bits a second, as usual
	tested time.Duration
}

// look is what was found in a stream's newest group of pictures.
type look struct {
	pictures, sounds int
	delta, key       int // bytes of the largest picture that says something, and of the key frame
	sound            int // of the largest frame of sound
	blocks           int // macroblocks a picture has, 0 when its size is not known
}

// Look examines the stream, once a second however often it is called. Units are only
// looked at: it is no reader that stays.
func (v *Health) Sample(h *hub.Hub, stream string, now time.Time) {
	passed := now.Sub(v.looked)
	if passed < examineEvery {
		return
	}
	st, ok := h.Stream(stream)
	if !ok || !st.Since.Equal(v.stream) {
		*v = Health{since: map[Fault]time.Time{}, seen: v.seen, looked: now, stream: st.Since, bytes: st.Bytes}
		return
	}
	l := peek(h, stream)
	meant := st.Origin.Proto == "clip" // a slate is still on purpose
	v.picture(&l, v.seen.fresh(&st, now), meant, now)
	if gone := now.Sub(st.LastAudio) > time.Second; gone || l.sounds >= enough {
		v.mark(Silence, !meant && st.AudioFrames > 0 && (gone || l.sound <= silent), now)
	}
	v.mark(NoKeyframes, st.Keyframes > 1 && now.Sub(st.LastKeyframe) > 2*st.KeyframeInterval+keysLate-illAfter, now)
	v.weigh(st.Bytes, passed, v.still, now)
	v.looked, v.bytes = now, st.Bytes
}

// picture marks what is wrong with the picture. A decoder knows whether it is of one
// colour; that it does not change is seen by sizes or by a decoder: each misses some.
func (v *Health) picture(l *look, decoded, meant bool, now time.Time) {
	guessed := l.pictures >= refined+enough
	if guessed { // less than a bit a macroblock: all but a few are skipped
		v.still = !meant && l.blocks > 0 && l.key > 0 && l.delta > 0 && l.delta <= max(96, l.blocks/8)
	}
	switch {
	case decoded:
		v.mark(Black, v.seen.Black && !meant, now)
		v.mark(Frozen, (v.still || v.seen.Frozen && !meant) && !v.seen.Black, now)
	case guessed:
		empty := v.still && l.key <= l.blocks
		v.mark(Black, empty, now)
		v.mark(Frozen, v.still && !empty, now)
	}
}

// silent is the most that a frame of silence takes. A frame of quiet room takes more.
const silent = 24

func (v *Health) mark(ill Fault, is bool, now time.Time) {
	if !is {
		delete(v.since, ill)
	} else if v.since[ill].IsZero() {
		v.since[ill] = now
	}
}

// weigh compares what came since the last look with what usually comes. A still
// picture needs little, so that is no sign then.
func (v *Health) weigh(bytes uint64, passed time.Duration, still bool, now time.Time) {
	rate := float64(bytes-v.bytes) * 8 / passed.Seconds()
	low := v.tested >= usual/2 && v.rate > little && rate < v.rate/6
	v.mark(LowBitrate, low && !still, now)
	if low {
		return // else the collapse would become the usual
	}
	share := min(1, passed.Seconds()/max(1, min(v.tested, usual).Seconds()))
	v.rate += (rate - v.rate) * share
	v.tested += passed
}

// Ills is what has been wrong for a while, the gravest first.
func (v *Health) Faults(now time.Time) (ills []Fault) {
	for _, ill := range []Fault{Black, Frozen, Silence, LowBitrate, NoKeyframes} {
		if since, is := v.since[ill]; is && now.Sub(since) >= illAfter {
			ills = append(ills, ill)
		}
	}
	return ills
}

// ill reports whether one of those is wrong.
func (v *Health) ill(of []Fault, now time.Time) (Fault, bool) {
	if v == nil || len(of) == 0 {
		return "", false
	}
	for _, ill := range v.Faults(now) {
		if slices.Contains(of, ill) {
			return ill, true
		}
	}
	return "", false
}

// suspect reports whether one of those looks wrong, if only for a moment.
func (v *Health) suspect(of []Fault) bool {
	return v != nil && slices.ContainsFunc(of, func(ill Fault) bool { return !v.since[ill].IsZero() })
}

// Words says it of a stream.
func (i Fault) Text() string {
	switch i {
	case Black:
		return "the picture seems to be black, or of one colour"
	case Frozen:
		return "the picture seems to be frozen"
	case Silence:
		return "the sound seems to be silent"
	case LowBitrate:
		return "the bitrate has collapsed"
	case NoKeyframes:
		return "key frames do not come any more"
	}
	return string(i)
}

// peek looks at the units since the newest key frame.
func peek(h *hub.Hub, stream string) (l look) {
	sub, err := h.Subscribe(stream)
	if err != nil {
		return l
	}
	defer sub.Close()
	for range mostExamined {
		au, err := sub.TryNext()
		if err != nil {
			break
		}
		switch {
		case !au.Video():
			l.sounds++
			l.sound = max(l.sound, len(au.Data))
		case au.Key:
			l.pictures++
			l.key = coded(au.Info(), au.Data)
			l.blocks = au.Info().Width * au.Info().Height / 256
		default:
			if l.pictures++; l.pictures > refined {
				l.delta = max(l.delta, coded(au.Info(), au.Data))
			}
		}
	}
	return l
}

// coded is how many bytes of a picture are picture: encoders of constant bitrate fill
// up what they do not need (H.264, 7.3.2.7).
func coded(t *media.Track, data []byte) (n int) {
	if t.Codec != media.H264 {
		return len(data)
	}
	for at := 0; at+5 <= len(data); {
		size := 4 + int(min(binary.BigEndian.Uint32(data[at:]), 1<<30))
		if kind := data[at+4] & 0x1f; kind >= 1 && kind <= 5 {
			n += size
		}
		at += size
	}
	return n
}
