package transcode

import (
	"math"
	"time"
)

// resampler converts between sample rates with a polyphase windowed sinc: the input is
// upsampled to the common multiple of both rates, low-passed and decimated; only the
// samples of the output are computed.
type resampler struct {
	channels int
	up, down int         // the ratio of the rates in lowest terms
	filters  [][]float32 // one for each phase
	history  []float32   // interleaved input that the filters still need
	phase    int
	out      []float32
	delay    time.Duration // of the filter
}

const (
	zeroCrossings = 24 // each side; passband to 20 kHz of 44.1
	kaiserBeta    = 8  // 80 dB down
)

func newResampler(from, to, channels int) *resampler {
	d := gcd(from, to)
	r := &resampler{channels: channels, up: to / d, down: from / d}
	cut := min(1, float64(to)/float64(from)) * 0.94 // of the input's Nyquist
	half := int(math.Ceil(zeroCrossings / cut))
	r.filters = make([][]float32, r.up)
	for phase := range r.filters {
		r.filters[phase] = sinc(half, cut, float64(phase)/float64(r.up))
	}
	r.history = make([]float32, (2*half-1)*channels)
	r.delay = time.Duration(half) * time.Second / time.Duration(from)
	return r
}

// sinc is the filter for an output at shift between two input samples. Its gain at 0 Hz is
// exactly 1, so that a constant input stays constant in every phase.
func sinc(half int, cut, shift float64) []float32 {
	taps, sum := make([]float64, 2*half), 0.0
	for i := range taps {
		x := float64(i-half+1) - shift
		w := x / float64(half)
		taps[i] = cut
		if x != 0 {
			taps[i] = math.Sin(math.Pi*cut*x) / (math.Pi * x)
		}
		taps[i] *= bessel(kaiserBeta*math.Sqrt(max(0, 1-w*w))) / bessel(kaiserBeta)
		sum += taps[i]
	}
	out := make([]float32, len(taps))
	for i, t := range taps {
		out[i] = float32(t / sum)
	}
	return out
}

// bessel is the modified Bessel function of the first kind, order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// write converts interleaved samples. The result is valid until the next call.
func (r *resampler) write(pcm []float32) []float32 {
	r.history = append(r.history, pcm...)
	r.out = r.out[:0]
	taps, at := len(r.filters[0]), 0
	for (at+taps)*r.channels <= len(r.history) {
		filter := r.filters[r.phase]
		if r.channels == 2 {
			var left, right float32
			in := r.history[2*at : 2*(at+taps)]
			for i, f := range filter {
				left += f * in[2*i]
				right += f * in[2*i+1]
			}
			r.out = append(r.out, left, right)
		} else {
			var mono float32
			in := r.history[at : at+taps]
			for i, f := range filter {
				mono += f * in[i]
			}
			r.out = append(r.out, mono)
		}
		r.phase += r.down
		at += r.phase / r.up
		r.phase %= r.up
	}
	r.history = append(r.history[:0], r.history[at*r.channels:]...)
	return r.out
}
