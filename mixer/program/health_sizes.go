package program

import (
	"encoding/binary"
	"slices"
	"time"

	"obvan/hub"
	"obvan/media"
)

// Fault is something that is wrong with a stream although its frames arrive.
type Fault string

// The faults. All of them are inferred from the sizes of coded frames; what is on air
// is also decoded now and then, where that is possible.
const (
	Frozen      Fault = "freeze"    // the video does not change
	Black       Fault = "black"     // and it shows nothing
	Silence     Fault = "silence"   // the audio is silence, or does not arrive
	LowBitrate  Fault = "bitrate"   // far lower than a while ago
	NoKeyframes Fault = "keyframes" // no keyframe has arrived for a while
)

// Faults is all that may be a failover trigger.
func Faults() []Fault { return []Fault{Frozen, Black, Silence, LowBitrate, NoKeyframes} }

const (
	// faultAfter is how long something has to be wrong: a still moment is no fault.
	faultAfter = 5 * time.Second
	// sampleEvery is how often a stream is sampled. Usual keyframe intervals are no
	// multiples of it: each sample would see the same few frames after a keyframe.
	sampleEvery = 900 * time.Millisecond
	// minFrames is how many video or audio frames a sample needs to be conclusive.
	minFrames = 5
	// refinementFrames is how many frames after a keyframe say nothing: encoders refine
	// the image there even when it does not move.
	refinementFrames = 15
	// maxSampled bounds the units of one sample.
	maxSampled = 1024
	// keyframeLate is how late a keyframe may be, on top of twice the usual interval.
	keyframeLate = 4 * time.Second
	// bitrateWindow is over how long the usual bitrate is averaged; below minBitrate it
	// says nothing.
	bitrateWindow = 30 * time.Second
	minBitrate    = 200_000
)

// Health is what the sizes of a stream's frames, and a decoder, say about it. It is for
// one goroutine.
type Health struct {
	since map[Fault]time.Time // what looks wrong, and since when

	decoded  decoded // by the program's decoder, where there is one
	still    bool    // by the sizes of its frames
	sampled  time.Time
	stream   time.Time // when it was published: a new one starts from scratch
	bytes    uint64
	rate     float64 // the usual one, in bit/s
	measured time.Duration
}

// gopSizes is what was found in a stream's newest GOP.
type gopSizes struct {
	frames, audioFrames int
	delta, keyframe     int // bytes of the largest conclusive frame, and of the keyframe
	audio               int // bytes of the largest audio frame
	macroblocks         int // in one frame, 0 when its dimensions are not known
}

// Sample samples the stream, about once a second however often it is called. It reads
// what the hub has now, and does not stay subscribed.
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
	if noAudio := now.Sub(st.LastAudio) > time.Second; noAudio || l.audioFrames >= minFrames {
		v.mark(Silence, !meant && st.AudioFrames > 0 && (noAudio || l.audio <= silentFrameBytes), now)
	}
	v.mark(NoKeyframes, st.Keyframes > 1 && now.Sub(st.LastKeyframe) > 2*st.KeyframeInterval+keyframeLate-faultAfter, now)
	v.checkBitrate(st.Bytes, passed, v.still, now)
	v.sampled, v.bytes = now, st.Bytes
}

// checkVideo marks the faults of the video. A decoder knows whether it is one flat
// color; that it does not change is seen by sizes or by a decoder: each misses some
// cases.
func (v *Health) checkVideo(l *gopSizes, decoded, meant bool, now time.Time) {
	guessed := l.frames >= refinementFrames+minFrames
	if guessed { // less than one bit per macroblock: all but a few are skipped
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

// silentFrameBytes is the most that a frame of silence takes. The noise of a quiet room
// takes more.
const silentFrameBytes = 24

func (v *Health) mark(fault Fault, is bool, now time.Time) {
	if !is {
		delete(v.since, fault)
	} else if v.since[fault].IsZero() {
		v.since[fault] = now
	}
}

// checkBitrate compares the bitrate since the last sample with the usual one. A still
// image needs little, so that it is no fault then.
func (v *Health) checkBitrate(bytes uint64, passed time.Duration, still bool, now time.Time) {
	rate := float64(bytes-v.bytes) * 8 / passed.Seconds()
	low := v.measured >= bitrateWindow/2 && v.rate > minBitrate && rate < v.rate/6
	v.mark(LowBitrate, low && !still, now)
	if low {
		return // else the collapse would become the usual bitrate
	}
	share := min(1, passed.Seconds()/max(1, min(v.measured, bitrateWindow).Seconds()))
	v.rate += (rate - v.rate) * share
	v.measured += passed
}

// Faults is what has been wrong for a while, the most serious first.
func (v *Health) Faults(now time.Time) (faults []Fault) {
	for _, fault := range []Fault{Black, Frozen, Silence, LowBitrate, NoKeyframes} {
		if since, is := v.since[fault]; is && now.Sub(since) >= faultAfter {
			faults = append(faults, fault)
		}
	}
	return faults
}

// fault is the first of these that the stream has, if any.
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

// suspected reports whether the stream looks as if it had one of these, if only for a
// moment.
func (v *Health) suspected(of []Fault) bool {
	return v != nil && slices.ContainsFunc(of, func(fault Fault) bool { return !v.since[fault].IsZero() })
}

// Text says what is wrong with a stream.
func (i Fault) Text() string {
	switch i {
	case Black:
		return "the video seems to be black, or one flat color"
	case Frozen:
		return "the video seems to be frozen"
	case Silence:
		return "the audio seems to be silent"
	case LowBitrate:
		return "the bitrate has collapsed"
	case NoKeyframes:
		return "keyframes have stopped arriving"
	}
	return string(i)
}

// measureGOP reads the units since the newest keyframe.
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

// codedBytes is how many bytes of a frame are slices: encoders with a constant bitrate
// pad what they do not need with filler data (H.264, 7.3.2.7).
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
