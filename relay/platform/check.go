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
	FrameRate        float64 // measured; the track's is what the coding claims
	KeyframeInterval time.Duration
	BFrames          bool
	OpenGOP          bool
	VariableRate     bool // pictures do not come evenly
}

// Check compares a program with what the platform says it takes. Each warning is a
// sentence for the operator; none is an order.
func (p Platform) Check(tracks *media.Tracks, b Bitstream) []string {
	c := checker{p: p, l: p.Limits, b: b}
	v, a := tracks.Video(), tracks.Audio()
	if v < 0 && a < 0 {
		return []string{"The program has neither picture nor sound yet."}
	}
	if v < 0 {
		c.warn("The program has no picture.")
	} else {
		c.video(&(*tracks)[v])
	}
	if a >= 0 {
		c.audio(&(*tracks)[a])
	} else if p.Limits.NeedsAudio {
		c.warn("The program has no sound; %s wants some, if only silence.", p.Name)
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
		c.warn("The picture is %v; many RTMP servers show only H264, and do not say so.", t.Codec)
	}
	if len(c.l.Video) > 0 && !slices.Contains(c.l.Video, t.Codec.String()) {
		c.warn("The picture is %v; %s takes %s.", t.Codec, c.p.Name, strings.Join(c.l.Video, ", "))
	}
	long, short := max(t.Width, t.Height), min(t.Width, t.Height)
	if c.l.MaxWidth > 0 && (long > c.l.MaxWidth || short > c.l.MaxHeight) {
		c.warn("The picture has %dx%d pixels; %s takes up to %dx%d.", t.Width, t.Height, c.p.Name, c.l.MaxWidth, c.l.MaxHeight)
	}
	if c.l.Portrait && t.Width > t.Height {
		c.warn("The picture lies; viewers of %s hold a phone upright (9:16).", c.p.Name)
	}
	fps := c.b.FrameRate
	if fps == 0 {
		fps = t.FrameRate
	}
	// A rate measured over a short while is a little off.
	if c.l.MaxFrameRate > 0 && fps > c.l.MaxFrameRate*1.02 {
		c.warn("The picture has %.3g frames a second; %s takes up to %g.", fps, c.p.Name, c.l.MaxFrameRate)
	}
	if c.b.VariableRate {
		c.warn("Pictures do not come evenly; %s expects a constant frame rate.", c.server())
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
		c.warn("The picture has %.1f Mbit/s; %s takes up to %.1f.", mbit(kbps), c.p.Name, mbit(most))
	case kbps > 0 && kbps < least*9/10:
		c.warn("The picture has %.1f Mbit/s; %s recommends at least %.1f for its size.", mbit(kbps), c.p.Name, mbit(least))
	}
	if c.b.VideoKbps > 0 && c.b.PeakKbps > 2*c.b.VideoKbps {
		c.warn("The bitrate is uneven: the fastest second has %.1f Mbit/s, the average %.1f.", mbit(c.b.PeakKbps), mbit(c.b.VideoKbps))
	}
}

func (c *checker) keyframes() {
	// One picture more than the platform says is rounding, not a fault.
	if s := c.b.KeyframeInterval.Seconds(); c.l.MaxKeyframeSeconds > 0 && s > c.l.MaxKeyframeSeconds+0.1 {
		c.warn("A key frame comes every %.1f s; %s wants one every %g s at least.", s, c.p.Name, c.l.MaxKeyframeSeconds)
	}
	if c.b.OpenGOP {
		c.warn("Pictures refer across key frames (open GOP); %s expects closed ones.", c.server())
	}
	if c.l.NoBFrames && c.b.BFrames {
		c.warn("The picture has B-frames; %s does not take them.", c.p.Name)
	}
}

func (c *checker) audio(t *media.Track) {
	if len(c.l.Audio) > 0 && !slices.Contains(c.l.Audio, t.Codec.String()) {
		c.warn("The sound is %v; %s takes %s.", t.Codec, c.p.Name, strings.Join(c.l.Audio, ", "))
	}
	if len(c.l.SampleRates) > 0 && t.SampleRate > 0 && !slices.Contains(c.l.SampleRates, t.SampleRate) {
		c.warn("The sound has %g kHz; %s takes %s.", float64(t.SampleRate)/1000, c.p.Name, rates(c.l.SampleRates))
	}
	if t.Channels > 2 {
		c.warn("The sound has %d channels; stereo is what %s expects.", t.Channels, c.server())
	}
	if c.l.MaxAudioKbps > 0 && c.b.AudioKbps > c.l.MaxAudioKbps*11/10 {
		c.warn("The sound has %d kbit/s; %s takes up to %d.", c.b.AudioKbps, c.p.Name, c.l.MaxAudioKbps)
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

// server is who takes the stream, for the middle of a sentence.
func (c *checker) server() string {
	if c.p.ID == "" {
		return "the server"
	}
	return c.p.Name
}
