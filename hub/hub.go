// Package hub holds the live streams by name: one writer and many readers each.
//
// A stream is a ring of access units, bounded in time and bytes. A reader is a
// cursor into it: it has no queue, no copy and no goroutine of its own, and the
// writer never waits for it. A reader that falls off the ring's tail jumps to the
// newest keyframe; no other reader is affected, and the loss is counted. A new reader
// starts at the newest keyframe, so that video shows immediately.
package hub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"obvan/media"
)

// Errors a caller can act on.
var (
	ErrPublishing = errors.New("the stream already has a publisher")
	ErrNoStream   = errors.New("no such stream")
	ErrNotYet     = errors.New("no unit yet")
)

// Program is the name of the stream every output follows.
const Program = "program"

// Limits of what a stream keeps for late readers.
const (
	DefaultKeep = 12 * time.Second
	maxBytes    = 96 << 20
	slots       = 8192 // a power of two; 77 units a second make this 106 s
)

// Origin says where a stream comes from.
type Origin struct {
	Proto                 string                   // "rtmp", "rtsp", "whip", "demo", "program"
	Remote                string                   // the peer's address, "" for streams made here
	Keep                  time.Duration            // how much to keep for late readers; 0 is DefaultKeep
	Corrections           func() map[string]uint64 // timestamps corrected on ingest, by kind; nil when the source corrects none
	UnsupportedAudioCodec string                   // name of the audio codec that can't be carried; "" when there is none
}

// Hub is the set of live streams.
type Hub struct {
	mu      sync.Mutex
	streams map[string]*stream
	changed chan struct{}
}

// New makes an empty hub.
func New() *Hub {
	return &Hub{streams: map[string]*stream{}, changed: make(chan struct{})}
}

// Publish claims name. The stream has no tracks until SetTracks. It fails with
// ErrPublishing while another publisher has that name.
func (h *Hub) Publish(name string, from Origin) (*Publisher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[name] != nil {
		return nil, ErrPublishing
	}
	if from.Keep == 0 {
		from.Keep = DefaultKeep
	}
	st := &stream{name: name, from: from, since: time.Now()}
	st.keep.Store(int64(from.Keep))
	h.streams[name] = st
	h.wake()
	return &Publisher{hub: h, st: st}, nil
}

// Subscribe reads a stream from its newest keyframe on. It fails with ErrNoStream.
func (h *Hub) Subscribe(name string) (*Subscriber, error) {
	h.mu.Lock()
	st := h.streams[name]
	h.mu.Unlock()
	if st == nil {
		return nil, ErrNoStream
	}
	return newSubscriber(st), nil
}

// Await is Subscribe that waits for the stream to appear.
func (h *Hub) Await(ctx context.Context, name string) (*Subscriber, error) {
	for {
		changed := h.Changed()
		if sub, err := h.Subscribe(name); err == nil {
			return sub, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Changed is closed when a stream starts, ends or changes its tracks. Get the channel
// before reading the state, so that no change in between is missed.
func (h *Hub) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// wake closes the channel that Changed returned; the caller holds h.mu.
func (h *Hub) wake() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *Hub) notify() {
	h.mu.Lock()
	h.wake()
	h.mu.Unlock()
}

func (h *Hub) remove(st *stream) {
	h.mu.Lock()
	if h.streams[st.name] == st {
		delete(h.streams, st.name)
		h.wake()
	}
	h.mu.Unlock()
}

// Stats is a stream's counters since it was published.
type Stats struct {
	Name   string
	Origin Origin
	Since  time.Time
	Tracks *media.Tracks // nil until known

	Frames, Keyframes, AudioFrames, Bytes uint64
	AudioBytes                            uint64 // of Bytes

	KeyframeInterval time.Duration // between the last two keyframes; 0 until there were two
	LastFrame        time.Time     // when it arrived; zero before the first
	LastAudio        time.Time
	LastKeyframe     time.Time

	Readers          int    // now
	Lost             uint64 // units skipped by readers that were too slow, summed over all readers
	AwaitingKeyframe uint64 // video frames dropped because no keyframe had arrived yet
}

// Stream returns one stream's counters.
func (h *Hub) Stream(name string) (Stats, bool) {
	h.mu.Lock()
	st := h.streams[name]
	h.mu.Unlock()
	if st == nil {
		return Stats{}, false
	}
	return st.stats(), true
}

// Streams returns the counters of all streams, sorted by name.
func (h *Hub) Streams() []Stats {
	h.mu.Lock()
	all := make([]*stream, 0, len(h.streams))
	for _, st := range h.streams {
		all = append(all, st)
	}
	h.mu.Unlock()
	slices.SortFunc(all, func(a, b *stream) int { return strings.Compare(a.name, b.name) })
	stats := make([]Stats, len(all))
	for i, st := range all {
		stats[i] = st.stats()
	}
	return stats
}
