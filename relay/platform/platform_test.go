package platform_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/media"
	"obvan/relay/platform"
)

func good() (*media.Tracks, platform.Bitstream) {
	return &media.Tracks{
			{Codec: media.H264, Width: 1920, Height: 1080, FrameRate: 30},
			{Codec: media.AAC, SampleRate: 48000, Channels: 2},
		}, platform.Bitstream{
			VideoKbps: 4500, PeakKbps: 5000, AudioKbps: 128, FrameRate: 29.99, KeyframeInterval: 2 * time.Second,
		}
}

func TestAnOrdinaryProgramSuitsEveryPlatform(t *testing.T) {
	for _, p := range platform.All() {
		tracks, b := good()
		if p.Limits.Portrait {
			(*tracks)[0].Width, (*tracks)[0].Height = 720, 1280
		}
		if w := p.Check(tracks, b); len(w) > 0 {
			t.Errorf("%s: %q", p.Name, w)
		}
	}
}

func TestAProgramOutsideALimitGetsAWarning(t *testing.T) {
	cases := map[string]struct {
		platform string
		change   func(tracks *media.Tracks, b *platform.Bitstream)
	}{
		"The video bitrate is 9.0 Mbit/s; Twitch accepts up to 6.0.":               {"twitch", func(_ *media.Tracks, b *platform.Bitstream) { b.VideoKbps = 9000 }},
		"A keyframe comes every 10.0 s; Facebook requires one at least every 4 s.": {"facebook", func(_ *media.Tracks, b *platform.Bitstream) { b.KeyframeInterval = 10 * time.Second }},
		"The video is H265; Twitch accepts H264.":                                  {"twitch", func(tr *media.Tracks, _ *platform.Bitstream) { (*tr)[0].Codec = media.H265 }},
		"The audio is Opus; YouTube accepts AAC.":                                  {"youtube", func(tr *media.Tracks, _ *platform.Bitstream) { (*tr)[1].Codec = media.Opus }},
		"The program has no audio; YouTube requires it, even if it is silent.":     {"youtube", func(tr *media.Tracks, _ *platform.Bitstream) { *tr = (*tr)[:1] }},
		"The video is landscape; Instagram viewers expect portrait (9:16).":        {"instagram", func(*media.Tracks, *platform.Bitstream) {}},
		"The video has 60 frames per second; LinkedIn accepts up to 30.":           {"linkedin", func(_ *media.Tracks, b *platform.Bitstream) { b.FrameRate = 60 }},
		"The video is 3840x2160 pixels; Kick accepts up to 1920x1080.":             {"kick", func(tr *media.Tracks, _ *platform.Bitstream) { (*tr)[0].Width, (*tr)[0].Height = 3840, 2160 }},
		"The audio sample rate is 32 kHz; X accepts 44.1 or 48 kHz.":               {"x", func(tr *media.Tracks, _ *platform.Bitstream) { (*tr)[1].SampleRate = 32000 }},
		"The bitrate is uneven: 12.0 Mbit/s in the busiest second, ":               {"vimeo", func(_ *media.Tracks, b *platform.Bitstream) { b.PeakKbps = 12000 }},
		"The video bitrate is 0.8 Mbit/s; YouTube recommends at least 3.0":         {"youtube", func(_ *media.Tracks, b *platform.Bitstream) { b.VideoKbps, b.PeakKbps = 800, 900 }},
	}
	for want, c := range cases {
		p, ok := platform.Find(c.platform)
		if !ok {
			t.Fatalf("no %s", c.platform)
		}
		tracks, b := good()
		c.change(tracks, &b)
		if got := strings.Join(p.Check(tracks, b), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", c.platform, got, want)
		}
	}
	custom, _ := platform.Find("")
	h265 := &media.Tracks{{Codec: media.H265}, {Codec: media.AAC}}
	for url, want := range map[string][]string{
		"rtmp://h/app": {"The video is H265; many RTMP servers support only H264, and do not report an error.", "The frame rate is uneven; the server expects a constant one."},
		"srt://h:9000": {"The frame rate is uneven; the server expects a constant one."},
	} {
		custom.URL = url
		if got := custom.Check(h265, platform.Bitstream{VariableRate: true}); !slices.Equal(got, want) {
			t.Errorf("%s: %q", url, got)
		}
	}
	if w := (platform.Platform{}).Check(nil, platform.Bitstream{}); len(w) != 1 {
		t.Errorf("no program: %q", w)
	}
}

func TestTheTablesAddressesAreWellFormedAndItsIDsUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range platform.All() {
		if seen[p.ID] || p.Name == "" || p.Hint == "" {
			t.Errorf("%q: twice, or without a name or hint", p.ID)
		}
		seen[p.ID] = true
		for _, raw := range []string{p.URL, p.BackupURL} {
			if u, err := url.Parse(raw); raw != "" && (err != nil || u.Scheme != "rtmps" || u.Host == "" || strings.Trim(u.Path, "/") == "") {
				t.Errorf("%s: %s", p.ID, raw)
			}
		}
	}
}
