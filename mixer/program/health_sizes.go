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
	faultAfter = 5 * time.Second
	// examineEvery is how often a stream is looked at.
	// It is no divisor of usual key frame intervals: each look would see the same
	// few pictures after a key frame.
	sampleEvery = 900 * time.Millisecond
	// enough is how many pictures, or frames of sound, a look has to see to say much.
	minFrames = 5
	// refined is how many pictures after a key frame say nothing: encoders improve on
	// it there, also of a picture that stands still.
	refinementFrames = 15
	// mostExamined bounds one look.
	maxSampled = 1024
	// keysLate is how late a key frame may be, on top of twice the usual time.
	keyframeLate = 4 * time.Second
	// usual is over how long the usual bitrate is averaged; below little it says
	// nothing.
	bitrateWindow = 30 * time.Second
	minBitrate    = 200_000
)

// Vitals is what a stream's coded sizes, and a decoder, say of its health. It is for one
// goroutine.
type Health struct {
	since map[Fault]time.Time // what looks wrong, and since when

	decoded  decoded // by the program's decoder, where there is one
	still    bool    // by the sizes of what is coded
	sampled  time.Time
	stream   time.Time // when it was published: another one starts anew
	bytes    uint64
	rate     float64 // bits a second, as usual
	measured time.Duration
}

// look is what was found in a stream's newest group of pictures.
type gopSizes struct {
	frames, audioFrames int
	delta, keyframe     int // bytes of the largest picture that says something, and of the key frame
	audio               int // of the largest frame of sound
	macroblocks         int // macroblocks a picture has, 0 when its size is not known
}

// Look examines the stream, once a second however often it is called. Units are only
// looked at: it is no reader that stays.
func (v *Health) Sample(h *hub.Hub, stream string, now time.Time) {
	passed := now.Sub(v.sampled)
	if passed < sampleEvery {
		return
	}
	st, ok := h.Stream(stream)
	if !ok || !st.Since.Equal(v.stream) {
		*v = Health{since: map[Fault]time.Time{}, decoded: v.decoded, sampled: now, stream: st.Since, bytes: st.Bytes}
		return
	}
	l := measureGOP(h, stream)
	meant := st.Origin.Proto == "clip" // a slate is still on purpose
	v.checkVideo(&l, v.decoded.recent(&st, now), meant, now)
	if gone := now.Sub(st.LastAudio) > time.Second; gone || l.audioFrames >= minFrames {
		v.mark(Silence, !meant && st.AudioFrames > 0 && (gone || l.audio <= silentFrameBytes), now)
	}
	v.mark(NoKeyframes, st.Keyframes > 1 && now.Sub(st.LastKeyframe) > 2*st.KeyframeInterval+keyframeLate-faultAfter, now)
	v.checkBitrate(st.Bytes, passed, v.still, now)
	v.sampled, v.bytes = now, st.Bytes
}

// picture marks what is wrong with the picture. A decoder knows whether it is of one
// colour; that it does not change is seen by sizes or by a decoder: each misses some.
func (v *Health) checkVideo(l *gopSizes, decoded, meant bool, now time.Time) {
	guessed := l.frames >= refinementFrames+minFrames
	if guessed { // less than a bit a macroblock: all but a few are skipped
		v.still = !meant && l.macroblocks > 0 && l.keyframe > 0 && l.delta > 0 && l.delta <= max(96, l.macroblocks/8)
	}
	switch {
	case decoded:
		v.mark(Black, v.decoded.Black && !meant, now)
		v.mark(Frozen, (v.still || v.decoded.Frozen && !meant) && !v.decoded.Black, now)
	case guessed:
		empty := v.still && l.keyframe <= l.macroblocks
		v.mark(Black, empty, now)
		v.mark(Frozen, v.still && !empty, now)
	}
}

// silent is the most that a frame of silence takes. A frame of quiet room takes more.
const silentFrameBytes = 24

func (v *Health) mark(fault Fault, is bool, now time.Time) {
	if !is {
		delete(v.since, fault)
	} else if v.since[fault].IsZero() {
		v.since[fault] = now
	}
}

// weigh compares what came since the last look with what usually comes. A still
// picture needs little, so that is no sign then.
func (v *Health) checkBitrate(bytes uint64, passed time.Duration, still bool, now time.Time) {
	rate := float64(bytes-v.bytes) * 8 / passed.Seconds()
	low := v.measured >= bitrateWindow/2 && v.rate > minBitrate && rate < v.rate/6
	v.mark(LowBitrate, low && !still, now)
	if low {
		return // else the collapse would become the usual
	}
	share := min(1, passed.Seconds()/max(1, min(v.measured, bitrateWindow).Seconds()))
	v.rate += (rate - v.rate) * share
	v.measured += passed
}

// Ills is what has been wrong for a while, the gravest first.
func (v *Health) Faults(now time.Time) (faults []Fault) {
	for _, fault := range []Fault{Black, Frozen, Silence, LowBitrate, NoKeyframes} {
		if since, is := v.since[fault]; is && now.Sub(since) >= faultAfter {
			faults = append(faults, fault)
		}
	}
	return faults
}

// ill reports whether one of those is wrong.
func (v *Health) fault(of []Fault, now time.Time) (Fault, bool) {
	if v == nil || len(of) == 0 {
		return "", false
	}
	for _, fault := range v.Faults(now) {
		if slices.Contains(of, fault) {
			return fault, true
		}
	}
	return "", false
}

// suspect reports whether one of those looks wrong, if only for a moment.
func (v *Health) suspected(of []Fault) bool {
	return v != nil && slices.ContainsFunc(of, func(fault Fault) bool { return !v.since[fault].IsZero() })
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
func measureGOP(h *hub.Hub, stream string) (l gopSizes) {
	sub, err := h.Subscribe(stream)
	if err != nil {
		return l
	}
	defer sub.Close()
	for range maxSampled {
		au, err := sub.TryNext()
		if err != nil {
			break
		}
		switch {
		case !au.Video():
			l.audioFrames++
			l.audio = max(l.audio, len(au.Data))
		case au.Key:
			l.frames++
			l.keyframe = codedBytes(au.Info(), au.Data)
			l.macroblocks = au.Info().Width * au.Info().Height / 256
		default:
			if l.frames++; l.frames > refinementFrames {
				l.delta = max(l.delta, codedBytes(au.Info(), au.Data))
			}
		}
	}
	return l
}

// coded is how many bytes of a picture are picture: encoders of constant bitrate fill
// up what they do not need (H.264, 7.3.2.7).
func codedBytes(t *media.Track, data []byte) (n int) {
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
