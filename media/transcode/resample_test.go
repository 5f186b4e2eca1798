package transcode

import (
	"math"
	"testing"
)

func TestResamplingPreservesAToneAndAddsNoNoise(t *testing.T) {
	for _, from := range []int{44100, 32000, 22050, 8000, 96000, 88200} {
		for _, channels := range []int{1, 2} {
			r := newResampler(from, Rate, channels)
			var out []float64
			for n := 0; n < from; n += 1024 {
				pcm := make([]float32, 0, 2*1024)
				for i := range 1024 {
					s := float32(math.Sin(2 * math.Pi * 997 * float64(n+i) / float64(from)))
					for range channels {
						pcm = append(pcm, s)
					}
				}
				got := r.write(pcm)
				for i := 0; i < len(got); i += channels {
					out = append(out, float64(got[i]))
				}
			}
			if want := Rate; math.Abs(float64(len(out)-want)) > 0.05*Rate {
				t.Errorf("%d: %d samples of a second", from, len(out))
			}
			tone := out[4800 : 4800+Rate/2]
			var power float64
			for _, s := range tone {
				power += s * s
			}
			noise := power/float64(len(tone)) - math.Pow(level(tone, 997), 2)/2
			if l := level(tone, 997); math.Abs(l-1) > 0.01 || noise > 1e-4 {
				t.Errorf("%d Hz, %d channels: tone %.4f, noise %.2g", from, channels, l, noise)
			}
		}
	}
}
