// Package observe looks at the streams and says what an operator should know: which
// feeds there are and how they do, what platforms will not like, and what is worth a line
// in the event log.
package observe

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"obvan/control"
	"obvan/hub"
	"obvan/ingest"
	"obvan/mixer/program"
	"obvan/monitor/frames"
	"obvan/relay"
)

const (
	stalledAfter    = 3 * time.Second  // without a picture
	forgetLostAfter = time.Minute      // how long a feed that nobody added is missed
	maxAdHoc        = 64               // of them, that are missed at once
	longGOP         = 4 * time.Second  // between key frames; cuts and viewers wait for them
	noKeyframeAfter = 10 * time.Second // without a second key frame
)

// Pulls is what the observer needs of ingest.Pulls.
type Pulls interface {
	State(feed string) (ingest.PullState, bool)
}

// Monitor is what the observer needs of whep.Server.
type Monitor interface {
	Watching(stream string) int
	Watch(stream string) (ok bool, why string)
}

// Observer looks at the streams: what they are, how they do, how much they send.
type Observer struct {
	hub     *hub.Hub
	pulls   Pulls
	monitor Monitor       // nil: there is none
	wakeup  chan struct{} // holds one token: something else than the hub changed

	mu      sync.Mutex
	samples map[string]*sample      // by stream
	shown   map[string]control.Feed // as last looked at, by feed
	order   []string                // of the feeds, as they came
	events  map[string]*feedEvents  // what the event log said last, by feed

	platforms platformCheck
}

// New makes an observer of the streams in h. monitor may be nil.
func New(h *hub.Hub, pulls Pulls, monitor Monitor) *Observer {
	return &Observer{
		hub: h, pulls: pulls, monitor: monitor, wakeup: make(chan struct{}, 1),
		samples: map[string]*sample{}, shown: map[string]control.Feed{}, events: map[string]*feedEvents{},
	}
}

// Poked has a token when it is time for another look.
func (e *Observer) Woken() <-chan struct{} { return e.wakeup }

// Poke asks for another look soon; it never blocks.
func (e *Observer) Wake() {
	select {
	case e.wakeup <- struct{}{}:
	default:
	}
}

// Look is all feeds, in the order they came, and the program; news is what an operator
// should be told of what changed since the last look. onAir keeps a feed that nobody
// added from being forgotten.
func (e *Observer) Look(now time.Time, measure bool, added []control.Feed, onAir map[string]control.Light) (feeds []control.Feed, prog control.ProgramState, events []control.LogEntry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	live := map[string]hub.Stats{}
	for _, st := range e.hub.Streams() {
		live[st.Name] = st
		e.measure(st, now, measure)
	}
	maps.DeleteFunc(e.samples, func(name string, _ *sample) bool { _, ok := live[name]; return !ok })
	feeds = added
	known := map[string]bool{}
	for _, f := range added {
		known[f.ID] = true
	}
	feeds = append(feeds, e.adHoc(now, live, known, onAir)...)
	e.sort(feeds)
	shown := map[string]control.Feed{}
	for i := range feeds {
		f := &feeds[i]
		e.fill(f, now, live)
		if e.events[f.ID] == nil {
			e.events[f.ID] = &feedEvents{}
		}
		events = append(events, e.events[f.ID].of(f, now)...)
		shown[f.ID] = *f
	}
	e.shown = shown
	maps.DeleteFunc(e.events, func(id string, _ *feedEvents) bool { _, ok := shown[id]; return !ok })
	return feeds, e.program(live), events
}

// PlatformCheck is what the destinations' platforms will not like of the program, by
// destination. Only one may call it at a time.
func (e *Observer) PlatformCheck(now time.Time, to []relay.Destination, level string) map[string][]string {
	e.mu.Lock()
	s := e.samples[hub.Program]
	e.mu.Unlock()
	return e.platforms.update(now, e.hub, s, to, level)
}

// strays is the feeds that just arrived, and those that were here a moment ago.
func (e *Observer) adHoc(now time.Time, live map[string]hub.Stats, known map[string]bool, onAir map[string]control.Light) []control.Feed {
	var all []control.Feed
	for name := range live {
		if !known[name] && ingest.CheckName(name) == nil {
			all = append(all, control.Feed{ID: name, Name: name})
		}
	}
	for id, f := range e.shown {
		_, here := live[id]
		if here || known[id] || f.Added || len(all) >= maxAdHoc {
			continue
		}
		if f.State != control.FeedLost || onAir[id] != "" || f.Since == nil || now.Sub(*f.Since) < forgetLostAfter {
			all = append(all, control.Feed{ID: id, Name: id})
		}
	}
	slices.SortFunc(all, func(a, b control.Feed) int {
		return cmp.Or(live[a.ID].Since.Compare(live[b.ID].Since), strings.Compare(a.ID, b.ID))
	})
	return all
}

// sort puts the newest feeds last. A camera keeps its place on the desk, whoever comes
// or goes, also when an operator adds one that was there already.
func (e *Observer) sort(feeds []control.Feed) {
	here := map[string]bool{}
	for _, f := range feeds {
		here[f.ID] = true
		if !slices.Contains(e.order, f.ID) {
			e.order = append(e.order, f.ID)
		}
	}
	e.order = slices.DeleteFunc(e.order, func(id string) bool { return !here[id] })
	slices.SortStableFunc(feeds, func(a, b control.Feed) int { return slices.Index(e.order, a.ID) - slices.Index(e.order, b.ID) })
}

// fill completes a feed with what is seen of it.
func (e *Observer) fill(f *control.Feed, now time.Time, live map[string]hub.Stats) {
	was, had := e.shown[f.ID]
	if st, here := live[f.ID]; here {
		e.fillLive(f, now, st)
	} else {
		f.State, f.Problem = control.FeedWaiting, ""
		if had && was.State != control.FeedWaiting && was.State != control.FeedConnecting {
			f.State = control.FeedLost
		}
		f.Watch = control.Watch{Reason: "The feed is not live."}
		if pull, pulled := e.pulls.State(f.ID); pulled {
			f.State, f.Problem = control.FeedState(pull.State), pull.Problem
			if f.State != control.FeedRetrying {
				f.State = control.FeedConnecting
			}
		}
	}
	if f.Since == nil {
		since := now.UTC()
		if had && was.State == f.State && was.Since != nil {
			since = *was.Since
		}
		f.Since = &since
	}
}

func (e *Observer) fillLive(f *control.Feed, now time.Time, st hub.Stats) {
	s := e.samples[f.ID]
	f.Proto, f.Remote = st.Origin.Proto, st.Origin.Remote
	f.Video, f.Audio = codecs(st.Tracks, s.bFrames)
	f.Kbps, f.FPS, f.KeyframeIntervalMs = s.kbps, s.fps, st.KeyframeInterval.Milliseconds()
	if e.monitor != nil {
		f.Viewers = e.monitor.Watching(f.ID)
	}
	if st.Origin.Corrections != nil {
		f.Corrections = st.Origin.Corrections()
	}
	f.Notes = notes(f, st, now)
	for _, fault := range s.health.Faults(now) {
		if fault != program.NoKeyframes { // the notes say so already
			f.Notes = append(f.Notes, fault.Text())
		}
	}
	f.Watch = e.watch(st)
	last, what := st.LastFrame, "picture"
	if f.Video == nil {
		last, what = st.LastAudio, "sound"
	}
	if last.IsZero() {
		last = st.Since
	}
	silent := now.Sub(last)
	switch {
	case silent > stalledAfter:
		f.State, f.Problem = control.FeedStalled, fmt.Sprintf("It is connected, but no %s came for %d s.", what, int(silent.Seconds()))
	case st.Frames == 0 && st.AudioFrames == 0:
		f.State = control.FeedConnecting
	default:
		f.State = control.FeedLive
		if was := e.shown[f.ID]; was.State != control.FeedLive { // it is live since it came, not since we looked
			since := st.Since.UTC()
			if was.State == control.FeedStalled {
				since = now.UTC()
			}
			f.Since = &since
		}
	}
}

// watch is how panels can show a stream.
func (e *Observer) watch(st hub.Stats) (w control.Watch) {
	w.WebCodecs = frames.Watchable(st.Tracks)
	if e.monitor == nil {
		w.Reason = "This server has no monitor."
		return w
	}
	w.OK, w.Reason = e.monitor.Watch(st.Name)
	w.Reduced = w.OK && (w.Reason != "" || e.samples[st.Name].bFrames)
	return w
}

func (e *Observer) program(live map[string]hub.Stats) (p control.ProgramState) {
	st, here := live[hub.Program]
	if !here || st.Tracks == nil {
		p.Watch.Reason = "Nothing is on air yet."
		return p
	}
	s := e.samples[hub.Program]
	p.Video, p.Audio = codecs(st.Tracks, s.bFrames)
	p.Kbps, p.FPS = s.kbps, s.fps
	p.Watch = e.watch(st)
	return p
}

// notes is what an operator should know of a live feed.
func notes(f *control.Feed, st hub.Stats, now time.Time) []string {
	var all []string
	if st.Tracks == nil {
		return nil
	}
	switch {
	case f.Audio != nil:
	case st.Origin.UnsupportedAudioCodec != "":
		all = append(all, fmt.Sprintf("no sound: it comes as %s, which can't be carried; set the camera's sound to AAC", st.Origin.UnsupportedAudioCodec))
	default:
		all = append(all, "no sound")
	}
	if f.Video == nil {
		all = append(all, "no picture")
		return all
	}
	if f.Video.BFrames {
		all = append(all, "B-frames: browsers can't show every picture; set B-frames to 0")
	}
	switch waiting := now.Sub(st.LastKeyframe); {
	case st.KeyframeInterval > longGOP:
		all = append(all, fmt.Sprintf("a key frame only every %.1f s: cuts wait; set the key frame interval to 2 s", st.KeyframeInterval.Seconds()))
	case st.LastKeyframe.IsZero() && now.Sub(st.Since) > stalledAfter:
		all = append(all, "no key frame yet: it can't be shown or cut to")
	case st.Keyframes == 1 && waiting > noKeyframeAfter:
		all = append(all, fmt.Sprintf("no key frame for %d s: cuts wait; set the key frame interval to 2 s", int(waiting.Seconds())/10*10))
	}
	return all
}
