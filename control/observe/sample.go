package observe

import (
	"math"
	"time"

	"obvan/control"
	"obvan/hub"
	"obvan/media"
	"obvan/mixer/program"
)

// SampleEvery is how often streams are measured.
const SampleEvery = time.Second

// measured is over how long rates are measured.
const measured = 3 * time.Second

// mostPeeked bounds how many units are looked at for B-frames.
const mostPeeked = 512

// sample is what was measured of one stream.
type sample struct {
	since   time.Time // of the publication: a new one starts anew
	counts  []counts  // of the last seconds, the oldest first
	kbps    int
	fps     float64
	bFrames bool
	vitals  program.Health
}

// counts is a stream's counters at one moment.
type counts struct {
	at       time.Time
	pictures uint64
	bytes    uint64
	picture  time.Time // when the last one arrived
}

// measure is the measurements of a stream, brought up to date when it is time; e.mu is
// held.
func (e *Observer) measure(st hub.Stats, now time.Time, due bool) *sample {
	s := e.rates[st.Name]
	if s == nil || !s.since.Equal(st.Since) {
		s = &sample{since: st.Since}
		e.rates[st.Name] = s
		due = true
	}
	if !due {
		return s
	}
	s.add(counts{now, st.Frames, st.Bytes, st.LastFrame})
	if st.Name != hub.Program { // which warns by itself
		s.vitals.Sample(e.hub, st.Name, now)
	}
	if !s.bFrames { // once seen they stay: an encoder does not lose them by itself
		s.bFrames = e.reordered(st.Name)
	}
	return s
}

func (s *sample) add(n counts) {
	s.counts = append(s.counts, n)
	for len(s.counts) > 2 && n.at.Sub(s.counts[1].at) >= measured {
		s.counts = s.counts[1:]
	}
	first := s.counts[0]
	over := n.at.Sub(first.at).Seconds()
	if over <= 0 {
		return
	}
	s.kbps = int(math.Round(float64(n.bytes-first.bytes) * 8 / 1000 / over))
	// Pictures are counted between the arrivals of two of them, else the rate would
	// flutter by one picture.
	s.fps = 0
	for _, first := range s.counts {
		if span := n.picture.Sub(first.picture).Seconds(); !first.picture.IsZero() && span > 0.2 && n.at.Sub(n.picture) < time.Second {
			s.fps = math.Round(float64(n.pictures-first.pictures)/span*10) / 10
			return
		}
	}
}

// reordered reports whether pictures are shown in another order than they come:
// B-frames. It looks at what is in the ring since the newest key frame.
func (e *Observer) reordered(stream string) bool {
	sub, err := e.hub.Subscribe(stream)
	if err != nil {
		return false
	}
	defer sub.Close()
	var latest time.Duration
	for range mostPeeked {
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

// codings is how a stream is coded, in words.
func codings(tracks *media.Tracks, bFrames bool) (video, audio *control.CodecInfo) {
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

// profile is the coding's profile in the words encoders use; "" when it is unknown.
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
