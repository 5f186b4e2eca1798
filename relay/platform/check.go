package platform

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"obvan/media"
)

// Bitstream is what was measured of the program, as far as it is known.
type Bitstream struct {
	VideoKbps        int
	PeakKbps         int // the fastest second of the last ten
	AudioKbps        int
	FrameRate        float64 // measured; the track's is what the stream claims
	KeyframeInterval time.Duration
	BFrames          bool
	OpenGOP          bool
	VariableRate     bool // frames are unevenly spaced
}

// Check compares a program with what the platform accepts. Each warning is a sentence for
// the operator; none is a prohibition.
func (p Platform) Check(tracks *media.Tracks, b Bitstream) []string {
	c := checker{p: p, l: p.Limits, b: b}
	v, a := tracks.Video(), tracks.Audio()
	if v < 0 && a < 0 {
		return []string{"The program has no video or audio yet."}
	}
	if v < 0 {
		c.warn("The program has no video.")
	} else {
		c.video(&(*tracks)[v])
	}
	if a >= 0 {
		c.audio(&(*tracks)[a])
	} else if p.Limits.NeedsAudio {
		c.warn("The program has no audio; %s requires it, even if it is silent.", p.Name)
	}
	return c.warnings
}

type checker struct {
	p        Platform
	l        Limits
	b        Bitstream
	warnings []string
}

func (c *checker) warn(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

func (c *checker) video(t *media.Track) {
	if c.p.ID == "" && strings.HasPrefix(c.p.URL, "rtmp") && t.Codec != media.H264 {
		c.warn("The video is %v; many RTMP servers support only H264, and do not report an error.", t.Codec)
	}
	if len(c.l.Video) > 0 && !slices.Contains(c.l.Video, t.Codec.String()) {
		c.warn("The video is %v; %s accepts %s.", t.Codec, c.p.Name, strings.Join(c.l.Video, ", "))
	}
	long, short := max(t.Width, t.Height), min(t.Width, t.Height)
	if c.l.MaxWidth > 0 && (long > c.l.MaxWidth || short > c.l.MaxHeight) {
		c.warn("The video is %dx%d pixels; %s accepts up to %dx%d.", t.Width, t.Height, c.p.Name, c.l.MaxWidth, c.l.MaxHeight)
	}
	if c.l.Portrait && t.Width > t.Height {
		c.warn("The video is landscape; %s viewers expect portrait (9:16).", c.p.Name)
	}
	fps := c.b.FrameRate
	if fps == 0 {
		fps = t.FrameRate
	}
	// A rate measured over a short while is a little off.
	if c.l.MaxFrameRate > 0 && fps > c.l.MaxFrameRate*1.02 {
		c.warn("The video has %.3g frames per second; %s accepts up to %g.", fps, c.p.Name, c.l.MaxFrameRate)
	}
	if c.b.VariableRate {
		c.warn("The frame rate is uneven; %s expects a constant one.", c.server())
	}
	c.rate(short, fps)
	c.keyframes()
}

func (c *checker) rate(height int, fps float64) {
	least, most := 0, c.l.MaxKbps
	for _, r := range c.l.Rates {
		if height > 0 && height <= r.Height && fps <= r.FrameRate*1.02 {
			least, most = r.MinKbps, r.MaxKbps
			break
		}
	}
	switch kbps := c.b.VideoKbps; {
	case most > 0 && kbps > most*105/100:
		c.warn("The video bitrate is %.1f Mbit/s; %s accepts up to %.1f.", mbit(kbps), c.p.Name, mbit(most))
	case kbps > 0 && kbps < least*9/10:
		c.warn("The video bitrate is %.1f Mbit/s; %s recommends at least %.1f for this resolution.", mbit(kbps), c.p.Name, mbit(least))
	}
	if c.b.VideoKbps > 0 && c.b.PeakKbps > 2*c.b.VideoKbps {
		c.warn("The bitrate is uneven: %.1f Mbit/s in the busiest second, %.1f on average.", mbit(c.b.PeakKbps), mbit(c.b.VideoKbps))
	}
}

func (c *checker) keyframes() {
	// One frame more than the platform states is rounding, not a fault.
	if s := c.b.KeyframeInterval.Seconds(); c.l.MaxKeyframeSeconds > 0 && s > c.l.MaxKeyframeSeconds+0.1 {
		c.warn("A keyframe comes every %.1f s; %s requires one at least every %g s.", s, c.p.Name, c.l.MaxKeyframeSeconds)
	}
	if c.b.OpenGOP {
		c.warn("Frames refer across keyframes (open GOP); %s expects closed GOPs.", c.server())
	}
	if c.l.NoBFrames && c.b.BFrames {
		c.warn("The video has B-frames; %s does not accept them.", c.p.Name)
	}
}

func (c *checker) audio(t *media.Track) {
	if len(c.l.Audio) > 0 && !slices.Contains(c.l.Audio, t.Codec.String()) {
		c.warn("The audio is %v; %s accepts %s.", t.Codec, c.p.Name, strings.Join(c.l.Audio, ", "))
	}
	if len(c.l.SampleRates) > 0 && t.SampleRate > 0 && !slices.Contains(c.l.SampleRates, t.SampleRate) {
		c.warn("The audio sample rate is %g kHz; %s accepts %s.", float64(t.SampleRate)/1000, c.p.Name, rates(c.l.SampleRates))
	}
	if t.Channels > 2 {
		c.warn("The audio has %d channels; %s expects stereo.", t.Channels, c.server())
	}
	if c.l.MaxAudioKbps > 0 && c.b.AudioKbps > c.l.MaxAudioKbps*11/10 {
		c.warn("The audio bitrate is %d kbit/s; %s accepts up to %d.", c.b.AudioKbps, c.p.Name, c.l.MaxAudioKbps)
	}
}

func rates(hz []int) string {
	var all []string
	for _, r := range hz {
		all = append(all, fmt.Sprintf("%g", float64(r)/1000))
	}
	return strings.Join(all, " or ") + " kHz"
}

func mbit(kbps int) float64 { return float64(kbps) / 1000 }

// server is what the receiving server is called in the middle of a sentence.
func (c *checker) server() string {
	if c.p.ID == "" {
		return "the server"
	}
	return c.p.Name
}
