package transcode

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"obvan/media"
)

// beeps is Opus made by the packer: 100 ms of a tone at the start of each second.
func beeps(t *testing.T, seconds int) (units []media.AccessUnit) {
	t.Helper()
	p, err := newPacker(2, func(au media.AccessUnit) { units = append(units, au) })
	if err != nil {
		t.Fatal(err)
	}
	for frame := range seconds * 50 {
		pcm := make([]float32, 2*packetSamples)
		for i := range packetSamples {
			n := frame*packetSamples + i
			if n%Rate < Rate/10 {
				x := float32(0.5 * math.Sin(2*math.Pi*1000*float64(n)/Rate))
				pcm[2*i], pcm[2*i+1] = x, x
			}
		}
		if err := p.write(samples(int64(frame*packetSamples)), pcm, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	return units
}

// convert returns ToAAC's output for units.
func convert(t *testing.T, units []media.AccessUnit) (frames []media.AccessUnit) {
	t.Helper()
	to, err := NewToAAC(func(au media.AccessUnit) { frames = append(frames, au) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range units {
		to.Write(&units[i])
	}
	return frames
}

// onsets are the times at which a tone begins, by the frames' timestamps.
func onsets(t *testing.T, frames []media.AccessUnit) (at []time.Duration) {
	t.Helper()
	dec, err := newAACDecoder(AACTrack().Config)
	if err != nil {
		t.Fatal(err)
	}
	quiet := Rate / 5 // samples since it was loud
	for _, f := range frames {
		pcm, err := dec.decode(f.Data)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(pcm); i += 2 {
			if math.Abs(float64(pcm[i])) < 0.1 {
				quiet++
				continue
			}
			if quiet > Rate/10 {
				at = append(at, f.PTS+samples(int64(i/2)))
			}
			quiet = 0
		}
	}
	return at
}

func TestOpusIsConvertedToAACInSync(t *testing.T) {
	units := beeps(t, 4)
	began := time.Now()
	frames := convert(t, units)
	t.Logf("4 s of audio took %v", time.Since(began))
	if len(frames) < 4*Rate/1024-5 {
		t.Errorf("%d frames", len(frames))
	}
	for i := 1; i < len(frames); i++ {
		if step := frames[i].PTS - frames[i-1].PTS; (step - samples(1024)).Abs() > time.Microsecond {
			t.Fatalf("frame %d is %v after the previous one", i, step)
		}
	}
	starts := onsets(t, frames)
	if len(starts) < 3 {
		t.Fatalf("beeps at %v", starts)
	}
	for _, at := range starts[len(starts)-3:] {
		if off := at - at.Round(time.Second); off.Abs() > 5*time.Millisecond {
			t.Errorf("a beep is %v off", off)
		}
	}
}

func TestAGapInOpusRemainsAGap(t *testing.T) {
	units := beeps(t, 4)
	for i := range units[100:] {
		units[100+i].PTS += 500 * time.Millisecond
	}
	starts := onsets(t, convert(t, units))
	if last := starts[len(starts)-1]; (last - 3500*time.Millisecond).Abs() > 25*time.Millisecond {
		t.Errorf("the last beep is at %v", last)
	}
}

func FuzzToAAC(f *testing.F) {
	f.Add([]byte{0xfc, 1, 2, 3}, uint64(1))
	f.Add([]byte{0x78, 0xff, 0, 7, 7}, uint64(2))
	f.Add([]byte{0x03, 0x30}, uint64(3))
	f.Fuzz(func(t *testing.T, packet []byte, seed uint64) {
		to, err := NewToAAC(func(au media.AccessUnit) {
			if len(au.Data) == 0 || len(au.Data) > 2*maxFrame {
				t.Errorf("a frame of %d bytes", len(au.Data))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, 0))
		for i := range 20 {
			at := time.Duration(i) * 20 * time.Millisecond
			if r.IntN(4) == 0 {
				at += time.Duration(r.Int64N(int64(time.Hour)))
			}
			to.Write(&media.AccessUnit{PTS: at, Data: packet})
		}
	})
}
