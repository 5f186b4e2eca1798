package transcode

import (
	"errors"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/thesyncim/gopus"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/silence"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The clips in testdata are 1.2 s of silence with a tone of 1 kHz from 0.5 to 0.9 s,
// encoded by ffmpeg, whose encoder adds 1024 samples at the start.
const toneAt, toneLength, toneHz = 0.5, 0.4, 1000.0

// clip reads an ADTS file as a track and its frames.
func clip(t testing.TB, name string) (media.Track, []media.AccessUnit) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var track media.Track
	var units []media.AccessUnit
	for len(data) > 7 {
		index, channels := data[2]>>2&15, data[2]&1<<2|data[3]>>6
		size := int(data[3]&3)<<11 | int(data[4])<<3 | int(data[5])>>5
		rate := map[byte]int{3: 48000, 4: 44100, 7: 22050}[index]
		track = media.Track{Codec: media.AAC, SampleRate: rate, Channels: int(channels), Config: []byte{2<<3 | index>>1, index<<7 | channels<<3}}
		at := time.Duration(len(units)) * 1024 * time.Second / time.Duration(rate)
		units = append(units, media.AccessUnit{PTS: at, DTS: at, Key: true, Data: data[7:size]})
		data = data[size:]
	}
	return track, units
}

// output collects what a transcoder emits.
type output struct {
	mu    sync.Mutex
	units []media.AccessUnit
}

func (e *output) add(au media.AccessUnit) {
	e.mu.Lock()
	e.units = append(e.units, au)
	e.mu.Unlock()
}

func (e *output) all() []media.AccessUnit {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]media.AccessUnit(nil), e.units...)
}

// transcoder is a transcoder of track without ffmpeg, and its output.
func transcoder(t *testing.T, track *media.Track) (Transcoder, *output) {
	t.Helper()
	e := &output{}
	tr, err := New(track, "", e.add)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	return tr, e
}

// write passes all frames to a transcoder.
func write(t *testing.T, to Transcoder, frames ...media.AccessUnit) {
	t.Helper()
	for i := range frames {
		if err := to.Write(&frames[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// decode decodes packets to the left channel, placed by their times from 0 on.
func decode(t testing.TB, units []media.AccessUnit) []float64 {
	t.Helper()
	dec, err := gopus.NewDecoder(gopus.DefaultDecoderConfig(Rate, 2))
	if err != nil {
		t.Fatal(err)
	}
	var pcm []float64
	buf := make([]float32, 2*5760)
	for _, au := range units {
		n, err := dec.Decode(au.Data, buf)
		if err != nil || n != packetSamples {
			t.Fatalf("a packet of %d samples: %v", n, err)
		}
		at := int(math.Round((au.PTS).Seconds() * Rate))
		for i := range n {
			if k := at + i; k >= 0 {
				for len(pcm) <= k {
					pcm = append(pcm, 0)
				}
				pcm[k] = float64(buf[2*i])
			}
		}
	}
	return pcm
}

// level is the level of a frequency in pcm: the amplitude of a sine.
func level(pcm []float64, hz float64) float64 {
	var re, im float64
	for i, s := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / Rate)
		re, im = re+s*cos, im+s*sin
	}
	return 2 * math.Hypot(re, im) / float64(len(pcm))
}

// onset is when the tone begins, in seconds.
func onset(pcm []float64) float64 {
	const window = Rate / 500
	for i := 0; i+window < len(pcm); i += window / 8 {
		if level(pcm[i:i+window], toneHz) > 0.12 {
			return float64(i+window/2) / Rate
		}
	}
	return -1
}

func checkTone(t *testing.T, units []media.AccessUnit, track *media.Track, within float64) {
	t.Helper()
	pcm := decode(t, units)
	begins := toneAt + 1024/float64(track.SampleRate)
	if at := onset(pcm); math.Abs(at-begins) > within {
		t.Errorf("the tone begins at %.4f s, want %.4f", at, begins)
	}
	tone := pcm[int((begins+0.05)*Rate):int((begins+toneLength-0.05)*Rate)]
	want := map[int]float64{1: 0.5, 2: 0.5 / math.Sqrt2, 6: 0.5 / math.Sqrt2 / (1 + math.Sqrt2)}[track.Channels] // the share of it in the left channel
	if l := level(tone, toneHz); math.Abs(l-want) > 0.15*want {
		t.Errorf("the tone has %.3f, want %.3f", l, want)
	}
	for _, hz := range []float64{500, 2000, 3900, 12000} {
		if l := level(tone, hz); l > 0.005 {
			t.Errorf("%.3f at %v Hz next to the tone", l, hz)
		}
	}
	if l := level(pcm[4800:int((begins-0.05)*Rate)], toneHz); l > 0.005 {
		t.Errorf("%.3f before the tone", l)
	}
}

func TestAACIsConvertedToOpusInSync(t *testing.T) {
	for _, name := range []string{"lc48.aac", "lc44.aac", "lc44mono.aac"} {
		t.Run(name, func(t *testing.T) {
			track, frames := clip(t, name)
			tr, e := transcoder(t, &track)
			write(t, tr, frames...)
			units := e.all()
			for n := 1; n < len(units); n++ {
				if d := units[n].PTS - units[n-1].PTS - 20*time.Millisecond; d.Abs() > time.Microsecond {
					t.Fatalf("packet %d is %v off", n, d)
				}
			}
			checkTone(t, units, &track, 0.003)
		})
	}
}

func TestTimestampsInWholeMillisecondsCauseNoGaps(t *testing.T) {
	track, frames := clip(t, "lc44.aac")
	tr, e := transcoder(t, &track)
	for i := range frames {
		frames[i].PTS = frames[i].PTS.Truncate(time.Millisecond)
	}
	write(t, tr, frames...)
	checkTone(t, e.all(), &track, 0.003)
}

func TestAGapRemainsAGapAndTheRestStaysInSync(t *testing.T) {
	track, frames := clip(t, "lc48.aac")
	tr, e := transcoder(t, &track)
	write(t, tr, slices.Delete(frames, 5, 15)...) // 0.21 s are missing before the tone
	units := e.all()
	last := time.Duration(-1 << 62)
	for n, au := range units {
		if au.PTS <= last {
			t.Fatalf("packet %d goes back in time", n)
		}
		last = au.PTS
	}
	pcm := decode(t, units)
	if at := onset(pcm); math.Abs(at-toneAt-1024./48000) > 0.003 {
		t.Errorf("the tone begins at %.4f s", at)
	}
}

func TestOverlappingFramesAreSkipped(t *testing.T) {
	track, frames := clip(t, "lc48.aac")
	tr, e := transcoder(t, &track)
	for i, frame := range frames {
		write(t, tr, frame)
		if i%2 == 1 { // each second frame twice, with the same time
			write(t, tr, frame)
		}
	}
	if n := len(e.all()); n < 55 || n > 63 { // 1.2 s, within the allowed skew
		t.Errorf("%d packets", n)
	}
}

func TestGeneratedSilenceIsDecoded(t *testing.T) {
	for _, channels := range []byte{1, 2} {
		track := media.Track{Codec: media.AAC, SampleRate: 48000, Channels: int(channels), Config: []byte{0x11, 0x80 | channels<<3}}
		tr, e := transcoder(t, &track)
		for n := range 30 {
			at := time.Duration(n) * 1024 * time.Second / 48000
			write(t, tr, media.AccessUnit{PTS: at, Data: silence.Frame(&track)})
		}
		pcm := decode(t, e.all())
		if len(pcm) < 28*1024 {
			t.Errorf("%d channels: %d samples of 30 frames", channels, len(pcm))
		}
		for _, s := range pcm {
			if math.Abs(s) > 1e-3 {
				t.Fatalf("%d channels: a sample of %v", channels, s)
			}
		}
	}
}

func TestMalformedFramesAreSkipped(t *testing.T) {
	track, frames := clip(t, "lc48.aac")
	tr, e := transcoder(t, &track)
	for i := range frames {
		switch {
		case i%10 == 3:
			frames[i].Data = []byte{0xff, 0xff, 0xff, byte(i)}
		case i%10 == 5:
			frames[i].Data = nil
		case i%10 == 7:
			frames[i].Data = make([]byte, maxFrame+1)
		}
	}
	write(t, tr, frames...)
	if n := len(e.all()); n < 30 {
		t.Errorf("%d packets", n)
	}
	bad := media.AccessUnit{Data: []byte{0xff}}
	for range maxBad {
		_ = tr.Write(&bad) // single errors are not reported
	}
	if err := tr.Write(&bad); !errors.Is(err, ErrCodec) {
		t.Errorf("only malformed frames: %v", err)
	}
}

func TestOpusPassesThroughUnchanged(t *testing.T) {
	tr, e := transcoder(t, &media.Track{Codec: media.Opus, Channels: 2})
	data := []byte{0xf8, 0xff, 0xfe}
	write(t, tr, media.AccessUnit{PTS: time.Second, Data: data}, media.AccessUnit{})
	if got := e.all(); len(got) != 1 || got[0].PTS != time.Second || &got[0].Data[0] != &data[0] {
		t.Errorf("%+v", got)
	}
	if _, err := New(&media.Track{Codec: media.Opus, Channels: 6}, "", e.add); !errors.Is(err, ErrCodec) {
		t.Errorf("surround: %v", err)
	}
}

func TestUnsupportedAACWithoutFFmpegIsRefused(t *testing.T) {
	for _, config := range [][]byte{nil, {0x11}, {0x11, 0xb0} /* 5.1 */, {0x2b, 0x11, 0x88, 0x00} /* HE-AAC */, {0xff, 0xff}} {
		_, err := New(&media.Track{Codec: media.AAC, Config: config}, "", func(media.AccessUnit) {})
		if !errors.Is(err, ErrCodec) {
			t.Errorf("%x: %v", config, err)
		}
	}
}

func TestSurroundAndOtherRatesAreDecodedByFFmpeg(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	for _, name := range []string{"surround.aac", "lc22mono.aac", "lc44.aac"} {
		t.Run(name, func(t *testing.T) {
			track, frames := clip(t, name)
			var e output
			tr, err := newFFmpegDecoder(&track, ffmpeg, e.add)
			if err != nil {
				t.Fatal(err)
			}
			write(t, tr, frames...)
			if err := tr.in.Close(); err != nil { // ffmpeg then returns what it has buffered
				t.Fatal(err)
			}
			tr.ended.Wait()
			_ = tr.Close()
			checkTone(t, e.all(), &track, 0.003)
		})
	}
}

func TestAnFFmpegThatExitsIsReported(t *testing.T) {
	dead := testkit.Tool(t, "false")
	track, frames := clip(t, "surround.aac")
	tr, err := New(&track, dead, func(media.AccessUnit) {})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, 5*time.Second, func() bool { return errors.Is(tr.Write(&frames[0]), ErrCodec) }, "Write does not fail")
	_ = tr.Close()
	if _, err := New(&track, "/nowhere/ffmpeg", func(media.AccessUnit) {}); !errors.Is(err, ErrCodec) {
		t.Errorf("a wrong path of ffmpeg: %v", err)
	}
}
