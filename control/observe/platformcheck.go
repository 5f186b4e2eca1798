package observe

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/platform"
)

const (
	settles     = 5 * time.Second  // a warning comes after so long, and leaves after so long
	rewords     = 10 * time.Second // figures in a warning that stays change no sooner
	gaugedOver  = 10               // samples, a second apart
	gaugedAfter = 5                // fewer of them say nothing yet
)

// platformCheck compares the program with what each destination's platform publishes
// about the streams it takes, before the show and during it.
type platformCheck struct {
	gauge    gauge
	cautions map[string]*cautions // by destination and platform
}

// look brings the warnings up to date, by destination. rung is where the program is.
func (f *platformCheck) look(now time.Time, h *hub.Hub, s *sample, to []relay.Destination, rung string) map[string][]string {
	st, here := h.Stream(hub.Program)
	if here && st.Tracks != nil && rung != "freeze" { // a held picture has no bitrate worth a word
		f.gauge.take(now, st, s, peek(h))
	}
	kept, all := map[string]*cautions{}, map[string][]string{}
	for i := range to {
		d := &to[i]
		key := d.ID + "\x00" + d.Platform
		c := f.cautions[key]
		if c == nil {
			c = &cautions{}
		}
		kept[key] = c
		var texts []string
		if p, known := platform.Find(d.Platform); known && here && st.Tracks != nil {
			if p.ID == "" {
				p.URL = d.URL
			}
			texts = p.Check(st.Tracks, f.gauge.is)
		}
		if c.look(now, texts); len(c.shown()) > 0 {
			all[d.ID] = c.shown()
		}
	}
	f.cautions = kept
	return all
}

// cautions are one destination's warnings, those that are not sure yet among them.
type cautions struct{ all []caution }

type caution struct {
	text   string
	worded time.Time // when text was chosen
	on     bool      // shown
	turns  time.Time // since when it is otherwise; zero when it is not
}

func (c *cautions) look(now time.Time, texts []string) {
	for _, text := range texts {
		if !slices.ContainsFunc(c.all, func(old caution) bool { return shape(old.text) == shape(text) }) {
			c.all = append(c.all, caution{text: text, worded: now})
		}
	}
	for i := range c.all {
		old := &c.all[i]
		at := slices.IndexFunc(texts, func(text string) bool { return shape(old.text) == shape(text) })
		switch {
		case at >= 0 == old.on:
			old.turns = time.Time{}
		case old.turns.IsZero():
			old.turns = now
		case now.Sub(old.turns) >= settles:
			old.on, old.turns, old.worded = !old.on, time.Time{}, time.Time{}
		}
		if at >= 0 && now.Sub(old.worded) >= rewords {
			old.text, old.worded = texts[at], now
		}
	}
	c.all = slices.DeleteFunc(c.all, func(old caution) bool { return !old.on && old.turns.IsZero() })
}

func (c *cautions) shown() (texts []string) {
	for _, one := range c.all {
		if one.on {
			texts = append(texts, one.text)
		}
	}
	return texts
}

// shape is a warning without its figures: those change, and it is still the same.
func shape(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '.' {
			return -1
		}
		return r
	}, text)
}

// gauge measures the program's coding.
type gauge struct {
	since time.Time // of the publication
	marks []mark    // the oldest first
	is    platform.Bitstream
}

// mark is the program's counters at one moment.
type mark struct {
	at           time.Time
	bytes, sound uint64
}

// take notes a sample.
func (g *gauge) take(now time.Time, st hub.Stats, s *sample, seen peeked) {
	if !g.since.Equal(st.Since) {
		*g = gauge{since: st.Since}
	}
	if n := len(g.marks); n > 0 && now.Sub(g.marks[n-1].at) > 3*SampleEvery {
		g.marks = nil // it was held meanwhile
	}
	g.marks = append(g.marks, mark{now, st.Bytes, st.AudioBytes})
	g.marks = g.marks[max(0, len(g.marks)-gaugedOver-1):]
	if len(g.marks) <= gaugedAfter {
		return
	}
	first, last := g.marks[0], g.marks[len(g.marks)-1]
	b := platform.Bitstream{
		VideoKbps: first.pictures(last), AudioKbps: kbps(last.sound-first.sound, last.at.Sub(first.at)),
		BFrames: seen.reordered, OpenGOP: seen.open, VariableRate: seen.uneven,
	}
	if s != nil {
		b.FrameRate, b.BFrames = s.fps, b.BFrames || s.bFrames
	}
	for i := range g.marks[1:] {
		b.PeakKbps = max(b.PeakKbps, g.marks[i].pictures(g.marks[i+1]))
	}
	b.KeyInterval = st.KeyframeInterval
	if !st.LastKeyframe.IsZero() {
		b.KeyInterval = max(b.KeyInterval, now.Sub(st.LastKeyframe))
	}
	g.is = b
}

// pictures is their bitrate from one mark to a later one.
func (m mark) pictures(later mark) int {
	return kbps((later.bytes-later.sound)-(m.bytes-m.sound), later.at.Sub(m.at))
}

func kbps(bytes uint64, over time.Duration) int {
	return int(float64(bytes) * 8 / 1000 / max(over.Seconds(), 0.1))
}

// peeked is what the newest pictures tell.
type peeked struct {
	reordered bool // they are shown in another order than they come: B-frames
	open      bool // some after the key frame are shown before it
	uneven    bool // they do not come at even distances
}

const mostUneven = 5 // a fifth of the distances

// peek looks at the program's pictures since its newest key frame.
func peek(h *hub.Hub) (p peeked) {
	sub, err := h.Subscribe(hub.Program)
	if err != nil {
		return p
	}
	defer sub.Close()
	var apart []time.Duration
	var first, last, newest media.AccessUnit
	for range mostPeeked {
		au, err := sub.TryNext()
		if err != nil {
			break
		}
		if !au.Video() {
			continue
		}
		if first.Tracks == nil {
			first, last, newest = au, au, au
			continue
		}
		apart = append(apart, au.DTS-last.DTS)
		p.open = p.open || au.PTS < first.PTS
		p.reordered = p.reordered || au.PTS < newest.PTS
		last = au
		if au.PTS > newest.PTS {
			newest = au
		}
	}
	p.uneven = uneven(apart)
	return p
}

// uneven reports whether many distances are far from the usual one.
func uneven(apart []time.Duration) bool {
	if len(apart) < 2*mostUneven {
		return false
	}
	slices.SortFunc(apart, cmp.Compare[time.Duration])
	usual, odd := apart[len(apart)/2], 0
	for _, d := range apart {
		if d < usual*3/4 || d > usual*5/4 {
			odd++
		}
	}
	return odd > len(apart)/mostUneven
}
