package transcode

import (
	"fmt"

	"obvan/media"
)

// inProcess converts AAC-LC to Opus in this process.
type inProcess struct {
	aac      *aacDecoder
	resample *resampler // nil at 48 kHz
	packer   *packer
	bad      int // frames that could not be decoded, in a row
}

// maxBad is how many malformed frames in a row, about 20 s, are an error.
const maxBad = 1000

func newInProcess(track *media.Track, emit func(media.AccessUnit)) (*inProcess, error) {
	aac, err := newAACDecoder(track.Config)
	if err != nil {
		return nil, err
	}
	p, err := newPacker(aac.channels, emit)
	if err != nil {
		return nil, err
	}
	d := &inProcess{aac: aac, packer: p}
	if aac.rate != Rate {
		d.resample = newResampler(aac.rate, Rate, aac.channels)
	}
	return d, nil
}

func (d *inProcess) Write(au *media.AccessUnit) error {
	pcm, err := d.aac.decode(au.Data)
	if err != nil {
		if d.bad++; d.bad > maxBad {
			return fmt.Errorf("%w: malformed frames: %w", ErrCodec, err)
		}
		return nil
	}
	d.bad = 0
	pts := au.PTS
	if d.resample != nil {
		pcm = d.resample.write(pcm)
		pts -= d.resample.delay
	}
	return d.packer.write(pts, pcm, au.Arrived)
}

func (d *inProcess) Close() error { return nil }
