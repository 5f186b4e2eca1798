// Package observe inspects the streams and says what an operator should know: which feeds
// there are and in which state, what the destinations' platforms advise against, and what
// is worth a line in the event log.
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
	stalledAfter    = 3 * time.Second  // without a video frame
	forgetLostAfter = time.Minute      // how long an ad-hoc feed is listed once it is lost
	maxAdHoc        = 64               // lost ones that are listed
	longGOP         = 4 * time.Second  // between keyframes; cuts and viewers wait for them
	noKeyframeAfter = 10 * time.Second // without a second keyframe
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

// Observer inspects the streams: their codecs, their state, their bitrate.
type Observer struct {
	hub     *hub.Hub
	pulls   Pulls
	monitor Monitor       // nil: there is none
	wakeup  chan struct{} // holds one token: something besides the hub changed

	mu      sync.Mutex
	samples map[string]*sample      // by stream
	shown   map[string]control.Feed // as last reported, by feed
	order   []string                // of the feeds, as they appeared
	events  map[string]*feedEvents  // what the event log last reported, by feed

	platforms platformCheck
}

// New makes an observer of the streams in h. monitor may be nil.
func New(h *hub.Hub, pulls Pulls, monitor Monitor) *Observer {
	return &Observer{
		hub: h, pulls: pulls, monitor: monitor, wakeup: make(chan struct{}, 1),
		samples: map[string]*sample{}, shown: map[string]control.Feed{}, events: map[string]*feedEvents{},
	}
}

// Woken has a token when it is time to look again.
func (o *Observer) Woken() <-chan struct{} { return o.wakeup }

// Wake asks for another look soon; it never blocks.
func (o *Observer) Wake() {
	select {
	case o.wakeup <- struct{}{}:
	default:
	}
}

// Look returns all feeds, in the order they appeared, the program, and what changed since
// the last look and is worth a line in the event log. An ad-hoc feed in onAir is not
// forgotten.
func (o *Observer) Look(now time.Time, measure bool, added []control.Feed, onAir map[string]control.Light) (feeds []control.Feed, program control.ProgramState, lines []control.LogEntry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	live := map[string]hub.Stats{}
	for _, st := range o.hub.Streams() {
		live[st.Name] = st
		o.measure(st, now, measure)
	}
	maps.DeleteFunc(o.samples, func(name string, _ *sample) bool { _, ok := live[name]; return !ok })
	feeds = added
	known := map[string]bool{}
	for _, f := range added {
		known[f.ID] = true
	}
	feeds = append(feeds, o.adHoc(now, live, known, onAir)...)
	o.sort(feeds)
	shown := map[string]control.Feed{}
	for i := range feeds {
		f := &feeds[i]
		o.fill(f, now, live)
		if o.events[f.ID] == nil {
			o.events[f.ID] = &feedEvents{}
		}
		lines = append(lines, o.events[f.ID].of(f, now)...)
		shown[f.ID] = *f
	}
	o.shown = shown
	maps.DeleteFunc(o.events, func(id string, _ *feedEvents) bool { _, ok := shown[id]; return !ok })
	return feeds, o.program(live), lines
}

// PlatformCheck returns what the destinations' platforms advise against in the program, by
// destination. It must not be called concurrently.
func (o *Observer) PlatformCheck(now time.Time, to []relay.Destination, level string) map[string][]string {
	o.mu.Lock()
	s := o.samples[hub.Program]
	o.mu.Unlock()
	return o.platforms.update(now, o.hub, s, to, level)
}

// adHoc is the feeds that no operator added: those that are live, and those that were a
// moment ago.
func (o *Observer) adHoc(now time.Time, live map[string]hub.Stats, known map[string]bool, onAir map[string]control.Light) []control.Feed {
	var all []control.Feed
	for name := range live {
		if !known[name] && ingest.CheckName(name) == nil {
			all = append(all, control.Feed{ID: name, Name: name})
		}
	}
	for id, f := range o.shown {
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

// sort puts the newest feeds last. A camera keeps its place in the panel whichever others
// connect or disconnect, also when an operator adds one that is already live.
func (o *Observer) sort(feeds []control.Feed) {
	here := map[string]bool{}
	for _, f := range feeds {
		here[f.ID] = true
		if !slices.Contains(o.order, f.ID) {
			o.order = append(o.order, f.ID)
		}
	}
	o.order = slices.DeleteFunc(o.order, func(id string) bool { return !here[id] })
	slices.SortStableFunc(feeds, func(a, b control.Feed) int { return slices.Index(o.order, a.ID) - slices.Index(o.order, b.ID) })
}

// fill completes a feed with what was measured of it.
func (o *Observer) fill(f *control.Feed, now time.Time, live map[string]hub.Stats) {
	was, had := o.shown[f.ID]
	if st, here := live[f.ID]; here {
		o.fillLive(f, now, st)
	} else {
		f.State, f.Problem = control.FeedWaiting, ""
		if had && was.State != control.FeedWaiting && was.State != control.FeedConnecting {
			f.State = control.FeedLost
		}
		f.Watch = control.Watch{Reason: "This feed is not live."}
		if pull, pulled := o.pulls.State(f.ID); pulled {
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

func (o *Observer) fillLive(f *control.Feed, now time.Time, st hub.Stats) {
	s := o.samples[f.ID]
	f.Proto, f.Remote = st.Origin.Proto, st.Origin.Remote
	f.Video, f.Audio = codecs(st.Tracks, s.bFrames)
	f.Kbps, f.FPS, f.KeyframeIntervalMs = s.kbps, s.fps, st.KeyframeInterval.Milliseconds()
	if o.monitor != nil {
		f.Viewers = o.monitor.Watching(f.ID)
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
	f.Watch = o.watch(st)
	last, what := st.LastFrame, "video"
	if f.Video == nil {
		last, what = st.LastAudio, "audio"
	}
	if last.IsZero() {
		last = st.Since
	}
	silent := now.Sub(last)
	switch {
	case silent > stalledAfter:
		f.State, f.Problem = control.FeedStalled, fmt.Sprintf("Connected, but no %s for %d s.", what, int(silent.Seconds()))
	case st.Frames == 0 && st.AudioFrames == 0:
		f.State = control.FeedConnecting
	default:
		f.State = control.FeedLive
		if was := o.shown[f.ID]; was.State != control.FeedLive { // it is live since it connected, not since we looked
			since := st.Since.UTC()
			if was.State == control.FeedStalled {
				since = now.UTC()
			}
			f.Since = &since
		}
	}
}

// watch says how panels can show a stream.
func (o *Observer) watch(st hub.Stats) (w control.Watch) {
	w.WebCodecs = frames.Watchable(st.Tracks)
	if o.monitor == nil {
		w.Reason = "Monitoring is not available on this server."
		return w
	}
	w.OK, w.Reason = o.monitor.Watch(st.Name)
	w.Reduced = w.OK && (w.Reason != "" || o.samples[st.Name].bFrames)
	return w
}

func (o *Observer) program(live map[string]hub.Stats) (p control.ProgramState) {
	st, here := live[hub.Program]
	if !here || st.Tracks == nil {
		p.Watch.Reason = "Nothing is on air yet."
		return p
	}
	s := o.samples[hub.Program]
	p.Video, p.Audio = codecs(st.Tracks, s.bFrames)
	p.Kbps, p.FPS = s.kbps, s.fps
	p.Watch = o.watch(st)
	return p
}

// notes is what an operator should know about a live feed.
func notes(f *control.Feed, st hub.Stats, now time.Time) []string {
	var all []string
	if st.Tracks == nil {
		return nil
	}
	switch {
	case f.Audio != nil:
	case st.Origin.UnsupportedAudioCodec != "":
		all = append(all, fmt.Sprintf("no audio: %s is not supported; set the camera's audio to AAC", st.Origin.UnsupportedAudioCodec))
	default:
		all = append(all, "no audio")
	}
	if f.Video == nil {
		all = append(all, "no video")
		return all
	}
	if f.Video.BFrames {
		all = append(all, "B-frames: browsers can't show every frame; set B-frames to 0")
	}
	switch waiting := now.Sub(st.LastKeyframe); {
	case st.KeyframeInterval > longGOP:
		all = append(all, fmt.Sprintf("a keyframe only every %.1f s: cuts wait; set the keyframe interval to 2 s", st.KeyframeInterval.Seconds()))
	case st.LastKeyframe.IsZero() && now.Sub(st.Since) > stalledAfter:
		all = append(all, "no keyframe yet: it can't be shown or cut to")
	case st.Keyframes == 1 && waiting > noKeyframeAfter:
		all = append(all, fmt.Sprintf("no keyframe for %d s: cuts wait; set the keyframe interval to 2 s", int(waiting.Seconds())/10*10))
	}
	return all
}
