package control

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/mixer/program"
	"obvan/monitor/frames"
)

const (
	stalledAfter = 3 * time.Second  // without a picture
	lostKept     = time.Minute      // how long a feed that nobody added is missed
	mostStrays   = 64               // of them, that are missed at once
	longGOP      = 4 * time.Second  // between key frames; cuts and viewers wait for them
	noKeyAfter   = 10 * time.Second // without a second key frame
)

// eyes look at the streams: what they are, how they fare, how much they send.
type eyes struct {
	rooms Rooms
	poked chan struct{} // holds one token: something else than the hub changed

	turn  sync.Mutex // of the one who looks and tells the store
	mu    sync.Mutex
	seen  map[string]*sight    // by stream
	shown map[string]Feed      // as last looked at, by feed
	order []string             // of the feeds, as they came
	told  map[string]*feedNews // what the event log said last, by feed

	flight preflight // of the one whose turn it is
}

func newEyes(rooms Rooms) *eyes {
	return &eyes{rooms: rooms, poked: make(chan struct{}, 1), seen: map[string]*sight{}, shown: map[string]Feed{}, told: map[string]*feedNews{}}
}

// poke asks for another look soon; it never blocks.
func (e *eyes) poke() {
	select {
	case e.poked <- struct{}{}:
	default:
	}
}

// feedsOf is the feeds that operators added, as far as the book knows them.
func feedsOf(k *kept, hasKey map[string]bool) []Feed {
	all := make([]Feed, len(k.Feeds))
	for i, f := range k.Feeds {
		all[i] = Feed{ID: f.ID, Name: f.Name, URL: f.URL, Added: true, HasKey: hasKey[f.ID]}
	}
	return all
}

// look is all feeds, in the order they came, and the program; news is what an operator
// should be told of what changed since the last look. onAir keeps a feed that nobody
// added from being forgotten.
func (e *eyes) look(now time.Time, sample bool, added []Feed, onAir map[string]Light) (feeds []Feed, prog ProgramState, news []LogEntry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	live := map[string]hub.Stats{}
	for _, st := range e.rooms.Hub.Streams() {
		live[st.Name] = st
		e.sight(st, now, sample)
	}
	maps.DeleteFunc(e.seen, func(name string, _ *sight) bool { _, ok := live[name]; return !ok })
	feeds = added
	known := map[string]bool{}
	for _, f := range added {
		known[f.ID] = true
	}
	feeds = append(feeds, e.strays(now, live, known, onAir)...)
	e.sort(feeds)
	shown := map[string]Feed{}
	for i := range feeds {
		f := &feeds[i]
		e.fill(f, now, live)
		if e.told[f.ID] == nil {
			e.told[f.ID] = &feedNews{}
		}
		news = append(news, e.told[f.ID].of(f, now)...)
		shown[f.ID] = *f
	}
	e.shown = shown
	maps.DeleteFunc(e.told, func(id string, _ *feedNews) bool { _, ok := shown[id]; return !ok })
	return feeds, e.program(live), news
}

// preflight is what the destinations' platforms will not like of the program, by
// destination; e.turn is held.
func (e *eyes) preflight(now time.Time, to []keptDestination, rung string) map[string][]string {
	e.mu.Lock()
	s := e.seen[hub.Program]
	e.mu.Unlock()
	return e.flight.look(now, e.rooms.Hub, s, to, rung)
}

// strays is the feeds that just arrived, and those that were here a moment ago.
func (e *eyes) strays(now time.Time, live map[string]hub.Stats, known map[string]bool, onAir map[string]Light) []Feed {
	var all []Feed
	for name := range live {
		if !known[name] && ingest.CheckName(name) == nil {
			all = append(all, Feed{ID: name, Name: name})
		}
	}
	for id, f := range e.shown {
		_, here := live[id]
		if here || known[id] || f.Added || len(all) >= mostStrays {
			continue
		}
		if f.State != FeedLost || onAir[id] != "" || f.Since == nil || now.Sub(*f.Since) < lostKept {
			all = append(all, Feed{ID: id, Name: id})
		}
	}
	slices.SortFunc(all, func(a, b Feed) int {
		return cmp.Or(live[a.ID].Since.Compare(live[b.ID].Since), strings.Compare(a.ID, b.ID))
	})
	return all
}

// sort puts the newest feeds last. A camera keeps its place on the desk, whoever comes
// or goes, also when an operator adds one that was there already.
func (e *eyes) sort(feeds []Feed) {
	here := map[string]bool{}
	for _, f := range feeds {
		here[f.ID] = true
		if !slices.Contains(e.order, f.ID) {
			e.order = append(e.order, f.ID)
		}
	}
	e.order = slices.DeleteFunc(e.order, func(id string) bool { return !here[id] })
	slices.SortStableFunc(feeds, func(a, b Feed) int { return slices.Index(e.order, a.ID) - slices.Index(e.order, b.ID) })
}

// fill completes a feed with what is seen of it.
func (e *eyes) fill(f *Feed, now time.Time, live map[string]hub.Stats) {
	was, had := e.shown[f.ID]
	if st, here := live[f.ID]; here {
		e.fillLive(f, now, st)
	} else {
		f.State, f.Problem = FeedWaiting, ""
		if had && was.State != FeedWaiting && was.State != FeedConnecting {
			f.State = FeedLost
		}
		f.Watch = Watch{Reason: "The feed is not live."}
		if pull, pulled := e.rooms.Pulls.State(f.ID); pulled {
			f.State, f.Problem = FeedState(pull.State), pull.Problem
			if f.State != FeedRetrying {
				f.State = FeedConnecting
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

func (e *eyes) fillLive(f *Feed, now time.Time, st hub.Stats) {
	s := e.seen[f.ID]
	f.Proto, f.Remote = st.Origin.Proto, st.Origin.Remote
	f.Video, f.Audio = codings(st.Tracks, s.bFrames)
	f.Kbps, f.FPS, f.KeyframeIntervalMs = s.kbps, s.fps, st.KeyframeInterval.Milliseconds()
	if e.rooms.Monitor != nil {
		f.Viewers = e.rooms.Monitor.Watching(f.ID)
	}
	if st.Origin.Corrections != nil {
		f.Corrections = st.Origin.Corrections()
	}
	f.Notes = notes(f, st, now)
	for _, ill := range s.vitals.Faults(now) {
		if ill != program.NoKeyframes { // the notes say so already
			f.Notes = append(f.Notes, ill.Text())
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
		f.State, f.Problem = FeedStalled, fmt.Sprintf("It is connected, but no %s came for %d s.", what, int(silent.Seconds()))
	case st.Frames == 0 && st.AudioFrames == 0:
		f.State = FeedConnecting
	default:
		f.State = FeedLive
		if was := e.shown[f.ID]; was.State != FeedLive { // it is live since it came, not since we looked
			since := st.Since.UTC()
			if was.State == FeedStalled {
				since = now.UTC()
			}
			f.Since = &since
		}
	}
}

// watch is how panels can show a stream.
func (e *eyes) watch(st hub.Stats) (w Watch) {
	w.WebCodecs = frames.Watchable(st.Tracks)
	if e.rooms.Monitor == nil {
		w.Reason = "This server has no monitor."
		return w
	}
	w.OK, w.Reason = e.rooms.Monitor.Watch(st.Name)
	w.Reduced = w.OK && (w.Reason != "" || e.seen[st.Name].bFrames)
	return w
}

func (e *eyes) program(live map[string]hub.Stats) (p ProgramState) {
	st, here := live[hub.Program]
	if !here || st.Tracks == nil {
		p.Watch.Reason = "Nothing is on air yet."
		return p
	}
	s := e.seen[hub.Program]
	p.Video, p.Audio = codings(st.Tracks, s.bFrames)
	p.Kbps, p.FPS = s.kbps, s.fps
	p.Watch = e.watch(st)
	return p
}

// notes is what an operator should know of a live feed.
func notes(f *Feed, st hub.Stats, now time.Time) []string {
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
	case st.Keyframes == 1 && waiting > noKeyAfter:
		all = append(all, fmt.Sprintf("no key frame for %d s: cuts wait; set the key frame interval to 2 s", int(waiting.Seconds())/10*10))
	}
	return all
}
