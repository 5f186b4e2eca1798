package transcode

import "fmt"

// adtsHeader makes ADTS headers (ISO/IEC 14496-3, 1.A.2.2) of a configuration.
type adtsHeader struct {
	rate       int
	rateIndex  byte
	channels   byte
	parametric bool // one channel is encoded, the output is stereo (HE-AAC v2)
}

// maxADTS is the longest frame: ADTS has 13 bits for its length, header included.
const maxADTS = 1<<13 - 1 - 7

// newADTSHeader reads an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). Of HE-AAC it
// describes the core, because ADTS has nothing more; decoders find the rest in the frames.
func newADTSHeader(config []byte) (adtsHeader, error) {
	rates := [...]int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	if len(config) < 2 {
		return adtsHeader{}, fmt.Errorf("%w: truncated configuration", ErrCodec)
	}
	object, index, channels := config[0]>>3, config[0]&7<<1|config[1]>>7, config[1]>>3&15
	if object != 2 && object != 5 && object != 29 {
		return adtsHeader{}, fmt.Errorf("%w: AAC object type %d", ErrCodec, object)
	}
	if int(index) >= len(rates) || channels == 0 || channels > 7 {
		return adtsHeader{}, fmt.Errorf("%w: AAC with sample rate %d, channels %d of the standard's tables", ErrCodec, index, channels)
	}
	return adtsHeader{rate: rates[index], rateIndex: index, channels: channels, parametric: object == 29}, nil
}

// header is the seven bytes before a frame of n bytes: MPEG-4, no CRC, LC.
func (h adtsHeader) header(n int) []byte {
	const profileLC = 1
	n += 7
	return []byte{
		0xff, 0xf1, profileLC<<6 | h.rateIndex<<2 | h.channels>>2,
		h.channels<<6 | byte(n>>11), byte(n >> 3), byte(n<<5) | 0x1f, 0xfc,
	}
}

// outputChannels is how many channels browsers get: surround is mixed down.
func (h adtsHeader) outputChannels() int {
	if h.channels == 1 && !h.parametric {
		return 1
	}
	return 2
}
