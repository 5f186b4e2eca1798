package clock_test

import (
	"maps"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/clock"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	video, audio = 0, 1
	frame        = 40 * time.Millisecond
	second       = time.Second
)

var tracks = media.Tracks{{Codec: media.H264}, {Codec: media.AAC, SampleRate: 48000}}

// unit is what a device sends: its arrival and its times.
type unit struct {
	track    int
	arrived  time.Duration
	dts, cts time.Duration
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newCorrector() *clock.Corrector {
	r := &clock.Corrector{}
	r.Reset(tracks)
	return r
}

func fix(r *clock.Corrector, u unit) media.AccessUnit {
	au := media.AccessUnit{Track: u.track, DTS: u.dts, PTS: u.dts + u.cts, Arrived: epoch.Add(u.arrived)}
	r.Fix(&au)
	return au
}

// both is n seconds of both tracks: device is the reading of a track's clock at a time of
// arrival.
func both(n int, device func(track int, at time.Duration) time.Duration) (units []unit) {
	for i := range n * 25 {
		at := time.Duration(i) * frame
		units = append(units, unit{video, at, device(video, at), 0}, unit{audio, at, device(audio, at), 0})
	}
	return units
}

// jumped is a clock that is correct until after, and from then on is off by by.
func jumped(after, by time.Duration) func(int, time.Duration) time.Duration {
	return func(_ int, at time.Duration) time.Duration {
		if at >= after {
			return at + by
		}
		return at
	}
}

type clockCase struct {
	name   string
	units  []unit
	counts map[string]uint64
	// how far the corrected times may be from the arrival clock, and the tracks from
	// each other, at any unit
	off, offset time.Duration
}

func clocks() []clockCase {
	return []clockCase{
		{"a correct clock is unchanged", both(5, func(_ int, at time.Duration) time.Duration { return at }), nil, 0, 0},
		{"a clock that starts anywhere is unchanged", both(1, func(_ int, at time.Duration) time.Duration { return at + 1000*time.Hour }), nil, 1000 * time.Hour, 0},
		{"a clock that starts below zero starts at zero", both(1, func(_ int, at time.Duration) time.Duration { return at - 7*second }), nil, 0, 0},
		{"a jump forward is removed", both(8, jumped(4*second, 3*time.Hour)), map[string]uint64{"jumps": 1}, 0, 0},
		{"a jump back is removed", both(8, jumped(4*second, -3*time.Hour)), map[string]uint64{"jumps": 1}, 0, 0},
		{"a clock that restarts at zero continues", both(8, jumped(4*second, -4*second)), map[string]uint64{"jumps": 1}, 0, 0},
		{"a wrap of 33 bits at 90 kHz continues", both(8, jumped(4*second, -95443717688888*time.Nanosecond)), map[string]uint64{"jumps": 1}, 0, 0},
		{"a wrap of 32 bits of milliseconds continues", both(8, jumped(4*second, -4294967296*time.Millisecond)), map[string]uint64{"jumps": 1}, 0, 0},
		{
			"audio that jumps a little later gets the shift of the video",
			both(8, func(track int, at time.Duration) time.Duration {
				return jumped(4*second+time.Duration(track)*600*time.Millisecond, 90*time.Second)(track, at)
			}),
			map[string]uint64{"jumps": 1}, 0, 0,
		},
		{
			"one track may jump alone",
			both(8, func(track int, at time.Duration) time.Duration {
				if track == audio {
					return jumped(4*second, time.Hour)(track, at)
				}
				return at
			}),
			map[string]uint64{"jumps": 1}, 0, 0,
		},
		{
			"audio that starts at another time is aligned with the video",
			both(4, func(track int, at time.Duration) time.Duration { return at + time.Duration(track)*time.Hour }),
			map[string]uint64{"jumps": 1}, 0, 0,
		},
	}
}

func TestClockErrorsAreCorrectedAndCounted(t *testing.T) {
	for _, tc := range clocks() {
		t.Run(tc.name, func(t *testing.T) {
			r := newCorrector()
			var first [2]time.Duration
			var out [2]time.Duration
			for i, u := range tc.units {
				au := fix(r, u)
				if i < 2 {
					first[u.track] = au.DTS - u.arrived
				} else if au.DTS <= out[u.track] {
					t.Fatalf("unit %d: %v after %v", i, au.DTS, out[u.track])
				}
				out[u.track] = au.DTS
				if off := (au.DTS - u.arrived).Abs(); off > tc.off {
					t.Fatalf("unit %d of track %d: %v from the arrival clock", i, u.track, off)
				}
				if off := (au.DTS - u.arrived - first[u.track]).Abs(); off > tc.offset {
					t.Fatalf("unit %d of track %d: moved by %v", i, u.track, off)
				}
			}
			if got := r.Counts.Map(); !maps.Equal(got, tc.counts) {
				t.Fatalf("counts = %v", got)
			}
		})
	}
}

func TestAGapInTimesAndArrivalsIsNotAJump(t *testing.T) {
	r := newCorrector()
	fix(r, unit{video, 0, 0, 0})
	fix(r, unit{audio, 0, 0, 0})
	late := time.Minute
	if au := fix(r, unit{video, late, late, 0}); au.DTS != late {
		t.Fatalf("dts = %v", au.DTS)
	}
	if au := fix(r, unit{audio, late, late, 0}); au.DTS != late || len(r.Counts.Map()) != 0 {
		t.Fatalf("dts = %v, %v", au.DTS, r.Counts.Map())
	}
}

func TestAStallAndTheBurstAfterItAreNotAJump(t *testing.T) {
	r := newCorrector()
	for i := range 100 {
		at := time.Duration(i) * frame
		arrived := at
		if i >= 25 {
			arrived = max(at, 5*second) // the network stalled for 4 s
		}
		if au := fix(r, unit{video, arrived, at, 0}); au.DTS != at {
			t.Fatalf("unit %d: %v, want %v", i, au.DTS, at)
		}
	}
	// The device dropped what it could not send: ahead of its last unit, not of the clock.
	if au := fix(r, unit{video, 10 * second, 10 * second, 0}); au.DTS != 10*second || len(r.Counts.Map()) != 0 {
		t.Fatalf("dts = %v, %v", au.DTS, r.Counts.Map())
	}
}

func TestABurstAtTheStartIsNotAJump(t *testing.T) {
	r := newCorrector()
	for i := range 250 { // ten seconds that the device had buffered, at once
		at := time.Duration(i) * frame
		if au := fix(r, unit{video, 0, at, 0}); au.DTS != at {
			t.Fatalf("unit %d: %v, want %v", i, au.DTS, at)
		}
	}
	if c := r.Counts.Map(); len(c) != 0 {
		t.Fatalf("counts = %v", c)
	}
}

func TestADelayedFirstFrameStaysInSyncWithTheAudio(t *testing.T) {
	for name, tracks := range map[string][2]int{"audio first": {audio, video}, "video first": {video, audio}} {
		t.Run(name, func(t *testing.T) {
			r := newCorrector()
			fix(r, unit{tracks[0], 0, 80 * time.Millisecond, 0})
			late := 5 * second // the keyframe is large, and the uplink slow
			second := fix(r, unit{tracks[1], late, 0, 0})
			if second.DTS != 0 {
				t.Fatalf("it is placed at %v", second.DTS)
			}
			for i := range 50 {
				at := 100*time.Millisecond + time.Duration(i)*frame
				for _, track := range tracks {
					if au := fix(r, unit{track, late, at, 0}); au.DTS != at {
						t.Fatalf("track %d: %v is placed at %v", track, at, au.DTS)
					}
				}
			}
			if n := r.Counts.Jumps.Load(); n != 0 {
				t.Fatalf("%d jumps", n)
			}
		})
	}
}

func TestAPauseDuringAJumpIsPreserved(t *testing.T) {
	r := newCorrector()
	for i := range 25 {
		fix(r, unit{video, time.Duration(i) * frame, time.Hour + time.Duration(i)*frame, 0})
	}
	au := fix(r, unit{video, 24*frame + 3*second, 0, 0})
	if want := time.Hour + 24*frame + 3*second; au.DTS != want {
		t.Fatalf("dts = %v, want %v", au.DTS, want)
	}
}

func TestDuplicateAndDecreasingTimesAreMadeToIncrease(t *testing.T) {
	r := newCorrector()
	last := -second
	for i, dts := range []time.Duration{0, frame, frame, frame / 2, 2 * frame, frame, 3 * frame} {
		au := fix(r, unit{video, time.Duration(i) * frame, dts, 0})
		if au.DTS < last+time.Millisecond || au.PTS < au.DTS {
			t.Fatalf("unit %d: dts %v pts %v after %v", i, au.DTS, au.PTS, last)
		}
		last = au.DTS
	}
	if n := r.Counts.Map()["backwards"]; n != 3 {
		t.Fatalf("counts = %v", r.Counts.Map())
	}
}

func TestNegativeCompositionOffsetsMoveTheDecodeTimeOnly(t *testing.T) {
	r := newCorrector()
	order := []int{0, 3, 1, 2, 6, 4, 5, 9, 7, 8} // I P B B P B B: a device that uses arrival times as decode times
	presented := map[time.Duration]bool{}
	for n := range 10 {
		for i, p := range order {
			dts := time.Duration(n*len(order)+i) * frame
			pts := time.Duration(n*len(order)+p) * frame
			au := fix(r, unit{video, dts, dts, pts - dts})
			if au.PTS < au.DTS {
				t.Fatalf("pts %v before dts %v", au.PTS, au.DTS)
			}
			if n > 0 && (au.PTS != pts || presented[au.PTS]) {
				t.Fatalf("frame %d of round %d at %v, want %v", i, n, au.PTS, pts)
			}
			presented[au.PTS] = true
		}
	}
	if r.Counts.Map()["composition"] == 0 {
		t.Fatal("not counted")
	}
}

func TestFramesWithAnImplausibleOffsetArePresentedWhenDecoded(t *testing.T) {
	r := newCorrector()
	fix(r, unit{video, 0, 0, 0})
	for i, cts := range []time.Duration{-time.Hour, time.Hour} {
		at := time.Duration(i+1) * frame
		if au := fix(r, unit{video, at, at, cts}); au.PTS != au.DTS || au.DTS != at {
			t.Fatalf("offset %v: dts %v pts %v", cts, au.DTS, au.PTS)
		}
	}
}

func TestDriftOfHoursIsCountedAndCorrectedSlowly(t *testing.T) {
	r := newCorrector()
	const ppm = 100 // of the audio clock: 360 ms in an hour
	var lastAudio, lastVideo, worst time.Duration
	for i := range 25 * 3600 {
		at := time.Duration(i) * frame
		lastVideo = fix(r, unit{video, at, at, 0}).DTS
		before := lastAudio
		lastAudio = fix(r, unit{audio, at, at + at*ppm/1e6, 0}).DTS
		if step := lastAudio - before; i > 0 && (step < frame-11*time.Millisecond || step > frame+11*time.Millisecond) {
			t.Fatalf("a step of %v is audible", step)
		}
		worst = max(worst, (lastAudio - lastVideo).Abs())
	}
	if worst > 100*time.Millisecond || r.Counts.Map()["drift"] < 2 || r.Counts.Map()["jumps"] != 0 {
		t.Fatalf("worst %v, counts %v", worst, r.Counts.Map())
	}
}

func TestANewGenerationOfTracksContinuesTheTimeline(t *testing.T) {
	r := newCorrector()
	fix(r, unit{video, 0, time.Hour, 0})
	fix(r, unit{audio, 0, time.Hour, 0})
	r.Reset(media.Tracks{{Codec: media.AAC}, {Codec: media.H264}}) // in reverse order, and from zero
	a := fix(r, unit{0, frame, 0, 0})
	v := fix(r, unit{1, frame, 0, 0})
	if want := time.Hour + frame; a.DTS != want || v.DTS != want {
		t.Fatalf("audio %v, video %v, want %v", a.DTS, v.DTS, want)
	}
}

func TestUnitsOfUnknownTracksAreUnchanged(t *testing.T) {
	r := newCorrector()
	fix(r, unit{video, 0, 0, 0})
	for _, track := range []int{7, -1} {
		if au := fix(r, unit{track, frame, time.Hour, frame}); au.DTS != time.Hour || au.PTS != time.Hour+frame || au.Track != track {
			t.Errorf("track %d: %+v", track, au)
		}
	}
	if au := fix(r, unit{video, frame, frame, 0}); au.DTS != frame || r.Counts.Map()["jumps"] != 0 {
		t.Errorf("a frame after them is at %v; counts %v", au.DTS, r.Counts.Map())
	}
}

func FuzzCorrector(f *testing.F) {
	f.Add([]byte{0, 1, 10, 200, 3, 1, 1, 10, 7, 3})
	f.Add([]byte{0, 7, 255, 0, 0, 0, 3, 0, 255, 255, 1, 5, 9, 9, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newCorrector()
		var now, dts time.Duration
		var out [2]time.Duration
		var seen [2]bool
		for ; len(data) >= 5; data = data[5:] {
			track := int(data[0] & 1)
			now += time.Duration(data[1]) * time.Millisecond << (data[0] >> 5)
			step := time.Duration(int8(data[2])) * time.Millisecond
			dts += step << (data[3] % 64)
			au := fix(r, unit{track, now, dts, time.Duration(int8(data[4])) * time.Millisecond << (data[3] % 50)})
			if seen[track] && au.DTS <= out[track] {
				t.Fatalf("track %d: %v after %v", track, au.DTS, out[track])
			}
			if au.PTS < au.DTS {
				t.Fatalf("pts %v before dts %v", au.PTS, au.DTS)
			}
			seen[track], out[track] = true, au.DTS
			if data[0]&16 != 0 {
				r.Reset(tracks)
			}
		}
	})
}
