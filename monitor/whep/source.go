package whep

import (
	"sync"
	"time"
	"unsafe"

	"obvan/media"
)

// Limits of the packet cache. A viewer that is further behind has its frames packetized again;
// the newest GOP, where viewers start, is usually cached.
const (
	maxCached      = 1024
	maxCachedBytes = 32 << 20
)

// source is what the viewers of one stream share: its frames as RTP payloads, made once, and
// the results of inspecting them.
type source struct {
	since   time.Time // of the stream: a new publisher is a new source
	derived bool      // made here from another stream, whose arrival times its frames carry

	mu      sync.Mutex
	viewers int
	packetCache

	seen        bool
	newest      newestFrame // of all
	shown       shownFrame  // the newest that was not dropped
	reorder     reorder
	pacing      pacing
	audioOffset audioOffset
}

// packetCache holds the newest frames as RTP payloads.
type packetCache struct {
	cached map[unitKey]*packets
	order  []unitKey // oldest first
	bytes  int
}

// unitKey identifies an encoded frame. The data of a cached frame is not freed, so its address
// identifies it; a camera that loops a clip reuses the entry, which is correct.
type unitKey struct {
	tracks *media.Tracks
	data   *byte
	size   int
}

// packets is a frame as RTP payloads, and whether it is a B-frame or a reference.
type packets struct {
	payloads     [][]byte
	b, reference bool
}

type newestFrame struct {
	dts     time.Duration
	arrived time.Time
}

type shownFrame struct {
	rtp     uint32
	arrived time.Time
}

func newSource(since time.Time) *source {
	return &source{since: since, packetCache: packetCache{cached: map[unitKey]*packets{}}}
}

// join adds a viewer. leave removes one; the last to leave frees the cache.
func (s *source) join() {
	s.mu.Lock()
	s.viewers++
	s.mu.Unlock()
}

func (s *source) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.viewers--; s.viewers == 0 {
		clear(s.cached)
		s.order, s.bytes = nil, 0
	}
}

// clock is the newest frame's RTP and arrival time; ok is false without viewers.
func (s *source) clock() (rtp uint32, arrived time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.rtp, s.shown.arrived, s.viewers > 0 && s.seen
}

// refused is the reason why browsers can't play the stream, from its frames so far.
func (s *source) refused(tracks *media.Tracks) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reorder.tracks == tracks && s.reorder.references {
		return errBFrames
	}
	return nil
}

// availableAt is when a frame could first be sent: on arrival, or now if it was transcoded here.
func (s *source) availableAt(au *media.AccessUnit) time.Time {
	if s.derived {
		return time.Now()
	}
	return au.Arrived
}

// scheduleAudio returns when an audio packet is to be sent.
func (s *source) scheduleAudio(au *media.AccessUnit) (due time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.audioOffset.audio(au)
	return s.audioOffset.due(au)
}

// hints are how browsers should play a source.
type hints struct {
	smooth      bool          // frames arrive in bursts
	audioOffset time.Duration // by which the audio is later than its video
}

// frame packetizes au; nil payloads mean that it is dropped. It fails when browsers can't play
// the stream.
func (s *source) frame(au *media.AccessUnit) (payloads [][]byte, show hints, err error) {
	if len(au.Data) == 0 {
		return nil, show, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.packets(au)
	// Viewers are at different positions; each frame is inspected once, in order.
	if !s.seen || au.DTS >= s.newest.dts {
		s.reorder.observe(au, p)
		s.pacing.observe(au, s.newest)
		s.audioOffset.frame(au, s.availableAt(au))
		s.newest.dts, s.newest.arrived = au.DTS, au.Arrived
		if dropped := p.b && s.reorder.reordered(au.Tracks); !dropped {
			s.shown = shownFrame{rtpTime(au.PTS, videoRate), au.Arrived}
		}
		s.seen = true
	}
	if s.reorder.references && s.reorder.tracks == au.Tracks {
		return nil, show, errBFrames
	}
	if p.b && !p.reference && s.reorder.reordered(au.Tracks) {
		return nil, show, nil
	}
	return p.payloads, hints{s.pacing.bursty, s.audioOffset.current}, nil
}

func (s *source) packets(au *media.AccessUnit) *packets {
	key := unitKey{au.Tracks, unsafe.SliceData(au.Data), len(au.Data)}
	if p := s.cached[key]; p != nil {
		return p
	}
	p := &packets{}
	if p.b, p.reference = bFrame(au.Data); !p.b || p.reference || !s.reorder.reordered(au.Tracks) {
		p.payloads = packetize(au)
	}
	s.cached[key] = p
	s.order = append(s.order, key)
	s.bytes += key.size
	for len(s.order) > maxCached || s.bytes > maxCachedBytes {
		old := s.order[0]
		s.order = s.order[1:]
		s.bytes -= old.size
		delete(s.cached, old)
	}
	return p
}

// reorder detects frames that are displayed before one that was decoded earlier. Browsers drop
// almost all frames of such a stream. The reordered frames are dropped here if no other frame
// refers to them. B slices alone are no problem: some hardware encoders use them for frames in
// display order.
type reorder struct {
	tracks     *media.Tracks
	latest     time.Duration // highest PTS since the keyframe
	found      bool
	references bool // one of them is a reference: it can't be dropped
}

func (r *reorder) observe(au *media.AccessUnit, p *packets) {
	if r.tracks != au.Tracks {
		*r = reorder{tracks: au.Tracks}
	}
	if p.b && au.PTS < r.latest {
		r.found = true
		r.references = r.references || p.reference
	}
	if au.Key || au.PTS > r.latest {
		r.latest = au.PTS
	}
}

// reordered reports whether frames of these tracks were reordered so far.
func (r *reorder) reordered(tracks *media.Tracks) bool { return r.found && r.tracks == tracks }

// pacing detects sources whose frames arrive in bursts. Playing each frame immediately, which is
// best for all other sources, would show fewer of their frames.
type pacing struct {
	frames, bunched int // in this window
	bursty          bool
}

const pacingWindow = 32

// minStep excludes frames that are close together on purpose: an instant cut sends the new
// camera's frames since its keyframe all at once.
const minStep = 5 * time.Millisecond

func (p *pacing) observe(au *media.AccessUnit, before newestFrame) {
	step := au.DTS - before.dts
	if before.arrived.IsZero() || step < minStep || step > time.Second {
		return
	}
	p.frames++
	if au.Arrived.Sub(before.arrived) < step/4 {
		p.bunched++
	}
	if p.frames == pacingWindow {
		p.bursty = p.bunched > pacingWindow/3
		p.frames, p.bunched = 0, 0
	}
}
