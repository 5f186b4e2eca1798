package program_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/mixer"
	"obvan/mixer/program"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// newRand makes a reproducible random source: PROGRAM_SEED is a seed that a failed
// test logged.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("PROGRAM_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("PROGRAM_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// camera is a fake feed: it writes video and audio to the hub in real time (of
// the bubble it runs in).
type camera struct {
	name       string
	fps        int
	gop        int           // frames from keyframe to keyframe
	reorder    bool          // I P b P b ..., presented one frame later than decoded
	rate       int           // of the audio; 0 for none
	audioDelay time.Duration // how much later than the video the audio arrives
	start      time.Duration // of its clock
	speed      float64       // of its clock against the wall's; 0 is right
	jitter     time.Duration // the most that a frame is late
	seed       uint64        // of the jitter
	config     byte          // distinguishes its format from the others'
}

func (c camera) tracks() media.Tracks {
	tr := media.Tracks{{Codec: media.H264, Config: []byte{1, 2, 3, c.config}, FrameRate: float64(c.fps)}}
	if c.rate > 0 {
		asc := map[int][]byte{48000: {0x11, 0x90}, 44100: {0x12, 0x10}}[c.rate]
		tr = append(tr, media.Track{Codec: media.AAC, Config: asc, SampleRate: c.rate, Channels: 2})
	}
	return tr
}

// publish publishes the camera until the returned function is called.
func (c camera) publish(t *testing.T, h *hub.Hub) (off func()) {
	t.Helper()
	pub, err := h.Publish(c.name, hub.Origin{Proto: "test"})
	if err != nil {
		t.Fatal(err)
	}
	pub.SetTracks(c.tracks())
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		defer pub.Close()
		c.send(ctx, pub)
	})
	off = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(off)
	return off
}

func (c camera) send(ctx context.Context, pub *hub.Publisher) {
	begin := time.Now()
	random := rand.New(rand.NewPCG(c.seed, 0))
	frames, audioFrames := 0, 0
	for {
		frame := time.Duration(frames) * time.Second / time.Duration(c.fps)
		audio := time.Hour
		if c.rate > 0 {
			audio = time.Duration(audioFrames)*1024*time.Second/time.Duration(c.rate) + c.audioDelay
		}
		due := min(frame, audio)
		if c.speed > 0 {
			due = time.Duration(float64(due) / c.speed)
		}
		if c.jitter > 0 {
			due += time.Duration(random.Int64N(int64(c.jitter)))
		}
		timer := time.NewTimer(time.Until(begin.Add(due)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if audio <= frame {
			at := audio - c.audioDelay + c.start
			pub.Write(media.AccessUnit{Track: 1, Key: true, PTS: at, DTS: at, Data: []byte(c.name + " audio")})
			audioFrames++
			continue
		}
		pub.Write(c.frame(frames, frame+c.start))
		frames++
	}
}

func (c camera) frame(n int, at time.Duration) media.AccessUnit {
	au := media.AccessUnit{DTS: at, PTS: at, Key: n%c.gop == 0, Data: []byte(c.name)}
	if c.reorder {
		period := time.Second / time.Duration(c.fps)
		switch k := n % c.gop; {
		case k == 0, k == c.gop-1:
			au.PTS = at + period
		case k%2 == 1: // a P-frame, presented after the B-frame that follows
			au.PTS = at + 2*period
		default:
			au.PTS, au.Disposable = at, true
		}
	}
	return au
}

// studio is a hub with a program that runs, and everything the program wrote.
type studio struct {
	*program.Program
	t     *testing.T
	hub   *hub.Hub
	begin time.Time

	mu     sync.Mutex
	units  []unit
	states []program.State
}

// unit is one the program wrote, and when.
type unit struct {
	media.AccessUnit
	at time.Time
}

func newStudio(t *testing.T) *studio {
	t.Helper()
	h := hub.New()
	p, err := program.New(h, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &studio{Program: p, t: t, hub: h, begin: time.Now()}
	sub, err := h.Subscribe(hub.Program)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := p.Run(ctx, s.onState); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	done.Go(func() { s.record(sub) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return s
}

// inStudio runs a test in a bubble of time with a studio in it.
func inStudio(t *testing.T, test func(t *testing.T, s *studio)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newStudio(t)) })
}

// start publishes cameras; the program follows the first, which ends when off is called.
func (s *studio) start(first camera, others ...camera) (off func()) {
	s.t.Helper()
	off = first.publish(s.t, s.hub)
	for _, c := range others {
		c.publish(s.t, s.hub)
	}
	s.Follow(first.name, mixer.Instant)
	return off
}

func (s *studio) onState(st program.State) {
	s.mu.Lock()
	s.states = append(s.states, st)
	s.mu.Unlock()
}

func (s *studio) record(sub *hub.Subscriber) {
	defer sub.Close()
	for {
		au, err := sub.Next(context.Background())
		if err != nil {
			return
		}
		s.mu.Lock()
		s.units = append(s.units, unit{au, time.Now()})
		s.mu.Unlock()
	}
}

// written is what the program wrote since the n-th unit.
func (s *studio) written(n int) []unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units[min(n, len(s.units)):len(s.units):len(s.units)]
}

// publish makes a feed that is written by hand.
func (s *studio) publish(name string) *hub.Publisher {
	s.t.Helper()
	pub, err := s.hub.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	pub.SetTracks(media.Tracks{{Codec: media.H264, Config: []byte(name), FrameRate: 30}})
	s.t.Cleanup(pub.Close)
	return pub
}

// send writes n frames in real time, the first of all a keyframe. Their
// clock is the wall's.
func (s *studio) send(pub *hub.Publisher, n int) {
	for range n {
		at := time.Since(s.begin)
		st, _ := s.hub.Stream("cam1")
		pub.Write(media.AccessUnit{DTS: at, PTS: at, Key: st.Frames == 0, Data: []byte("cam1")})
		time.Sleep(time.Second / 30)
	}
}
