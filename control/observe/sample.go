package observe

import (
	"math"
	"time"

	"obvan/control"
	"obvan/hub"
	"obvan/internal/ratewindow"
	"obvan/media"
	"obvan/mixer/program"
)

// SampleEvery is how often streams are measured.
const SampleEvery = time.Second

// rateWindow is over how long rates are measured.
const rateWindow = 3 * time.Second

// inspectUnits bounds how many access units are inspected for B-frames.
const inspectUnits = 512

// sample is what was measured of one stream.
type sample struct {
	since    time.Time // of the publication: a new one starts again
	counters ratewindow.Window[counters]
	kbps     int
	fps      float64
	bFrames  bool
	health   program.Health
}

// counters are a stream's at one moment.
type counters struct {
	bytes     uint64
	frames    uint64
	lastFrame time.Time // when it arrived
}

// measure is the measurements of a stream, brought up to date when it is due; o.mu is
// held.
func (o *Observer) measure(st hub.Stats, now time.Time, due bool) *sample {
	s := o.samples[st.Name]
	if s == nil || !s.since.Equal(st.Since) {
		s = &sample{since: st.Since, counters: ratewindow.Window[counters]{Over: rateWindow}}
		o.samples[st.Name] = s
		due = true
	}
	if !due {
		return s
	}
	s.add(now, counters{st.Bytes, st.Frames, st.LastFrame})
	if st.Name != hub.Program { // which warns itself
		s.health.Sample(o.hub, st.Name, now)
	}
	if !s.bFrames { // an encoder that has sent some may send more
		s.bFrames = o.reordered(st.Name)
	}
	return s
}

func (s *sample) add(now time.Time, n counters) {
	s.counters.Add(now, n)
	first, last, ok := s.counters.Ends()
	if !ok || !last.At.After(first.At) {
		return
	}
	s.kbps = int(math.Round(ratewindow.Kbps(n.bytes-first.Value.bytes, now.Sub(first.At))))
	// Frames are counted between the arrivals of two of them, else the rate would
	// flutter by one frame.
	s.fps = 0
	for _, first := range s.counters.All() {
		from := first.Value
		if span := n.lastFrame.Sub(from.lastFrame).Seconds(); !from.lastFrame.IsZero() && span > 0.2 && now.Sub(n.lastFrame) < time.Second {
			s.fps = math.Round(float64(n.frames-from.frames)/span*10) / 10
			return
		}
	}
}

// reordered reports whether frames are shown in another order than they are sent:
// B-frames. It looks at what is in the ring since the newest keyframe.
func (o *Observer) reordered(stream string) bool {
	sub, err := o.hub.Subscribe(stream)
	if err != nil {
		return false
	}
	defer sub.Close()
	var latest time.Duration
	for range inspectUnits {
		au, err := sub.TryNext()
		if err != nil {
			return false
		}
		if !au.Video() {
			continue
		}
		if au.PTS < latest {
			return true
		}
		latest = max(latest, au.PTS)
	}
	return false
}

// codecs describes how a stream is encoded.
func codecs(tracks *media.Tracks, bFrames bool) (video, audio *control.CodecInfo) {
	if i := tracks.Video(); i >= 0 {
		t := &(*tracks)[i]
		video = &control.CodecInfo{
			Codec: t.Codec.String(), Profile: profile(t), Width: t.Width, Height: t.Height,
			FrameRate: math.Round(t.FrameRate*100) / 100, BFrames: bFrames,
		}
	}
	if i := tracks.Audio(); i >= 0 {
		t := &(*tracks)[i]
		audio = &control.CodecInfo{Codec: t.Codec.String(), Profile: profile(t), SampleRate: t.SampleRate, Channels: t.Channels}
	}
	return video, audio
}

// profile is the codec profile, as encoders name it; "" when it is unknown.
func profile(t *media.Track) string {
	c := t.Config
	switch {
	case t.Codec == media.H264 && len(c) > 3: // ISO/IEC 14496-15, 5.3.3.1: profile, constraints, level
		return h264Profile(c[1], c[2])
	case t.Codec == media.H265 && len(c) > 1: // 8.3.3.1: the low five bits
		return map[byte]string{1: "Main", 2: "Main 10", 3: "Main Still"}[c[1]&31]
	case t.Codec == media.AAC && len(c) > 1: // ISO/IEC 14496-3, 1.6.2.1: the first five bits
		return map[byte]string{1: "Main", 2: "LC", 5: "HE", 29: "HE v2"}[c[0]>>3]
	}
	return ""
}

// h264Profile names a profile_idc (ITU-T H.264, A.2).
func h264Profile(idc, constraints byte) string {
	switch idc {
	case 66:
		if constraints&0x40 != 0 { // constraint_set1_flag
			return "Constrained Baseline"
		}
		return "Baseline"
	case 77:
		return "Main"
	case 88:
		return "Extended"
	case 100:
		return "High"
	case 110:
		return "High 10"
	case 122:
		return "High 4:2:2"
	case 244:
		return "High 4:4:4"
	}
	return ""
}
