package observe

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"obvan/hub"
	"obvan/internal/ratewindow"
	"obvan/media"
	"obvan/mixer/program"
	"obvan/relay"
	"obvan/relay/platform"
)

const (
	settles = 5 * time.Second  // a warning appears after so long, and disappears after so long
	rewords = 10 * time.Second // figures in a warning that stays change no sooner

	meterWindow      = 10*time.Second - SampleEvery/2 // ten samples, whose times are not exact
	meterSamples     = 5                              // fewer of them say nothing yet
	shortestInterval = 100 * time.Millisecond
)

// platformCheck compares the program with what each destination's platform publishes
// about the streams it takes, before the show and during it.
type platformCheck struct {
	meter    meter
	warnings map[string]*warnings // by destination and platform
}

// update brings the warnings up to date, by destination. level is the fallback level that
// the program is on.
func (f *platformCheck) update(now time.Time, h *hub.Hub, s *sample, to []relay.Destination, level string) map[string][]string {
	st, here := h.Stream(hub.Program)
	if here && st.Tracks != nil && level != program.LevelFreeze { // the bitrate of a freeze frame says nothing
		f.meter.take(now, st, s, inspect(h))
	}
	current, all := map[string]*warnings{}, map[string][]string{}
	for i := range to {
		d := &to[i]
		key := d.ID + "\x00" + d.Platform
		w := f.warnings[key]
		if w == nil {
			w = &warnings{}
		}
		current[key] = w
		var texts []string
		if p, known := platform.Find(d.Platform); known && here && st.Tracks != nil {
			if p.ID == "" {
				p.URL = d.URL
			}
			texts = p.Check(st.Tracks, f.meter.is)
		}
		if w.update(now, texts); len(w.shown()) > 0 {
			all[d.ID] = w.shown()
		}
	}
	f.warnings = current
	return all
}

// warnings are one destination's, those that are not certain yet among them.
type warnings struct{ all []warning }

type warning struct {
	text   string
	worded time.Time // when text was chosen
	on     bool      // shown
	turns  time.Time // since when it is otherwise; zero when it is not
}

func (w *warnings) update(now time.Time, texts []string) {
	for _, text := range texts {
		if !slices.ContainsFunc(w.all, func(old warning) bool { return shape(old.text) == shape(text) }) {
			w.all = append(w.all, warning{text: text, worded: now})
		}
	}
	for i := range w.all {
		old := &w.all[i]
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
	w.all = slices.DeleteFunc(w.all, func(old warning) bool { return !old.on && old.turns.IsZero() })
}

func (w *warnings) shown() (texts []string) {
	for _, one := range w.all {
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

// meter measures how the program is encoded.
type meter struct {
	since    time.Time // of the publication
	counters ratewindow.Window[byteCounters]
	is       platform.Bitstream
}

// byteCounters are the program's at one moment.
type byteCounters struct{ all, audio uint64 }

// take notes the counters as they are now.
func (m *meter) take(now time.Time, st hub.Stats, s *sample, seen inspection) {
	if !m.since.Equal(st.Since) {
		*m = meter{since: st.Since, counters: ratewindow.Window[byteCounters]{Over: meterWindow}}
	}
	if _, last, ok := m.counters.Ends(); ok && now.Sub(last.At) > 3*SampleEvery {
		m.counters.Clear() // it was a freeze frame meanwhile
	}
	m.counters.Add(now, byteCounters{st.Bytes, st.AudioBytes})
	all := m.counters.All()
	if len(all) <= meterSamples {
		return
	}
	first, last := all[0], all[len(all)-1]
	b := platform.Bitstream{
		VideoKbps: videoKbps(first, last), AudioKbps: int(ratewindow.Kbps(last.Value.audio-first.Value.audio, last.At.Sub(first.At))),
		BFrames: seen.reordered, OpenGOP: seen.open, VariableRate: seen.uneven,
	}
	if s != nil {
		b.FrameRate, b.BFrames = s.fps, b.BFrames || s.bFrames
	}
	for i := range all[1:] {
		b.PeakKbps = max(b.PeakKbps, videoKbps(all[i], all[i+1]))
	}
	b.KeyframeInterval = st.KeyframeInterval
	if !st.LastKeyframe.IsZero() {
		b.KeyframeInterval = max(b.KeyframeInterval, now.Sub(st.LastKeyframe))
	}
	m.is = b
}

// videoKbps is the bitrate of the video from one sample to a later one.
func videoKbps(from, to ratewindow.Sample[byteCounters]) int {
	bytes := (to.Value.all - to.Value.audio) - (from.Value.all - from.Value.audio)
	return int(ratewindow.Kbps(bytes, max(to.At.Sub(from.At), shortestInterval)))
}

// inspection is what the newest frames tell.
type inspection struct {
	reordered bool // they are shown in another order than they are sent: B-frames
	open      bool // some after the keyframe are shown before it: an open GOP
	uneven    bool // they do not come at even intervals: a variable frame rate
}

// maxUneven is the part of the intervals that may be far from the usual one: a fifth.
const maxUneven = 5

// inspect looks at the program's frames since its newest keyframe.
func inspect(h *hub.Hub) (p inspection) {
	sub, err := h.Subscribe(hub.Program)
	if err != nil {
		return p
	}
	defer sub.Close()
	var intervals []time.Duration
	var first, last, newest media.AccessUnit
	for range inspectUnits {
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
		intervals = append(intervals, au.DTS-last.DTS)
		p.open = p.open || au.PTS < first.PTS
		p.reordered = p.reordered || au.PTS < newest.PTS
		last = au
		if au.PTS > newest.PTS {
			newest = au
		}
	}
	p.uneven = uneven(intervals)
	return p
}

// uneven reports whether many intervals are far from the usual one.
func uneven(intervals []time.Duration) bool {
	if len(intervals) < 2*maxUneven {
		return false
	}
	slices.SortFunc(intervals, cmp.Compare[time.Duration])
	usual, odd := intervals[len(intervals)/2], 0
	for _, d := range intervals {
		if d < usual*3/4 || d > usual*5/4 {
			odd++
		}
	}
	return odd > len(intervals)/maxUneven
}
