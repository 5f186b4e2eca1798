package hub

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"

	"obvan/media"
)

// entry is a unit and its place in the stream's endless count.
type entry struct {
	seq uint64
	au  media.AccessUnit
}

// stream is the ring. Only the publisher writes; readers only load. A slot holds the
// entry whose seq is congruent to it, or nil once that was evicted, so a reader can
// tell from the seq whether it has been overtaken.
type stream struct {
	name  string
	from  Origin
	since time.Time

	ring [slots]atomic.Pointer[entry]
	head atomic.Uint64 // seq the next unit gets
	key  atomic.Uint64 // seq of the newest keyframe, plus one; 0 while there is none
	done atomic.Bool
	keep atomic.Int64 // how much to keep for late readers, a time.Duration

	tracks atomic.Pointer[media.Tracks]

	waiting
	counters
}

// waiting is the readers to wake when the next unit is written.
type waiting struct {
	waitMu sync.Mutex
	parked []*Subscriber
	spare  []*Subscriber // the other half of the swap in wake; the writer's own
}

// counters holds the values behind Stats, since the stream was published.
type counters struct {
	frames, keyframes, audio, bytes    atomic.Uint64
	audioBytes                         atomic.Uint64
	lost, awaitingKeyframe             atomic.Uint64
	keyframeInterval                   atomic.Int64
	lastFrame, lastAudio, lastKeyframe atomic.Int64 // UnixNano
	readers                            atomic.Int64
}

func (st *stream) stats() Stats {
	return Stats{
		Name: st.name, Origin: st.from, Since: st.since, Tracks: st.tracks.Load(),
		Frames: st.frames.Load(), Keyframes: st.keyframes.Load(), AudioFrames: st.audio.Load(), Bytes: st.bytes.Load(), AudioBytes: st.audioBytes.Load(),
		KeyframeInterval: time.Duration(st.keyframeInterval.Load()),
		LastFrame:        instant(&st.lastFrame), LastAudio: instant(&st.lastAudio), LastKeyframe: instant(&st.lastKeyframe),
		Readers: int(st.readers.Load()), Lost: st.lost.Load(), AwaitingKeyframe: st.awaitingKeyframe.Load(),
	}
}

func instant(nano *atomic.Int64) time.Time {
	if n := nano.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// Publisher is the one writer of a stream. Its methods are for one goroutine.
type Publisher struct {
	hub *Hub
	st  *stream

	tail         uint64 // oldest seq in the ring
	buffered     int    // bytes in the ring
	needKeyframe bool
	lastKey      time.Duration // its DTS
	anyKey       bool
	closed       bool
}

// SetTracks starts a new generation of tracks, which describes the units written from
// now on. After a change of the video codec or its configuration, video frames are
// dropped, and counted, until the first keyframe.
func (p *Publisher) SetTracks(tracks media.Tracks) {
	old := p.st.tracks.Load()
	p.needKeyframe = p.needKeyframe || !sameVideo(old, &tracks)
	p.st.tracks.Store(&tracks)
	p.hub.notify()
}

// Tracks is the current generation, nil before the first.
func (p *Publisher) Tracks() *media.Tracks { return p.st.tracks.Load() }

func sameVideo(a, b *media.Tracks) bool {
	i, j := a.Video(), b.Video()
	if i < 0 || j < 0 {
		return i < 0 && j < 0
	}
	x, y := &(*a)[i], &(*b)[j]
	return x.Codec == y.Codec && bytes.Equal(x.Config, y.Config)
}

// Write adds a unit. It never blocks, and drops units of unknown tracks.
func (p *Publisher) Write(au media.AccessUnit) {
	st := p.st
	au.Tracks = st.tracks.Load()
	if p.closed || au.Tracks == nil || au.Track < 0 || au.Track >= len(*au.Tracks) {
		return
	}
	if au.Arrived.IsZero() {
		au.Arrived = time.Now()
	}
	video := au.Video()
	if video && p.needKeyframe && !au.Key {
		st.awaitingKeyframe.Add(1)
		return
	}
	seq := st.head.Load()
	p.count(&au, video)
	p.buffered += len(au.Data)
	p.evict(&au, seq)
	st.ring[seq%slots].Store(&entry{seq, au})
	if video && au.Key {
		st.key.Store(seq + 1)
	}
	st.head.Store(seq + 1)
	st.wake(au.Arrived)
}

func (p *Publisher) count(au *media.AccessUnit, video bool) {
	st := p.st
	st.bytes.Add(uint64(len(au.Data)))
	if !video {
		st.audio.Add(1)
		st.audioBytes.Add(uint64(len(au.Data)))
		st.lastAudio.Store(au.Arrived.UnixNano())
		return
	}
	st.frames.Add(1)
	st.lastFrame.Store(au.Arrived.UnixNano())
	if !au.Key {
		return
	}
	st.keyframes.Add(1)
	st.lastKeyframe.Store(au.Arrived.UnixNano())
	if p.anyKey {
		st.keyframeInterval.Store(int64(au.DTS - p.lastKey))
	}
	p.needKeyframe, p.anyKey, p.lastKey = false, true, au.DTS
}

// evict makes room for au at seq. Age alone evicts only what precedes the newest
// keyframe, so that readers can still join a long GOP; the limits on bytes and slots
// evict anything.
func (p *Publisher) evict(au *media.AccessUnit, seq uint64) {
	st := p.st
	for p.tail < seq {
		old := &st.ring[p.tail%slots].Load().au
		full := seq-p.tail >= slots || p.buffered > maxBytes
		key := st.key.Load()
		stale := (key == 0 || p.tail+1 < key) && au.Arrived.Sub(old.Arrived) > time.Duration(st.keep.Load())
		if !full && !stale {
			return
		}
		if p.tail+1 == key {
			st.key.Store(0)
		}
		p.buffered -= len(old.Data)
		st.ring[p.tail%slots].Store(nil)
		p.tail++
	}
}

// Close ends the stream: readers get the remaining units, then io.EOF; the name is free.
func (p *Publisher) Close() {
	if p.closed {
		return
	}
	p.closed = true
	p.hub.remove(p.st)
	p.st.done.Store(true)
	p.st.wake(time.Now())
}

// wake wakes the parked readers, outside the lock.
func (st *stream) wake(now time.Time) {
	done := st.done.Load()
	st.waitMu.Lock()
	st.parked, st.spare = st.spare[:0], st.parked
	for i, s := range st.spare {
		if s.suspendedUntil.After(now) && !done {
			st.parked, st.spare[i] = append(st.parked, s), nil
			continue
		}
		s.parked = false
	}
	st.waitMu.Unlock()
	for i, s := range st.spare {
		if s == nil {
			continue
		}
		select {
		case s.ready <- struct{}{}:
		default: // a wake-up is already pending
		}
		st.spare[i] = nil
	}
}
