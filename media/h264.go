package media

import (
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// ErrConfig is for parameter sets or a configuration record that can't be used.
var ErrConfig = errors.New("bad decoder configuration")

// H264Track makes a track from one sequence parameter set and one picture parameter set (NAL
// units without length or start code).
func H264Track(sps, pps []byte) (Track, error) {
	var info h264.SPS
	if err := info.Unmarshal(sps); err != nil {
		return Track{}, fmt.Errorf("%w: H.264 sequence parameter set: %w", ErrConfig, err)
	}
	if len(pps) == 0 || len(pps) > 0xffff || len(sps) > 0xffff {
		return Track{}, fmt.Errorf("%w: H.264 picture parameter set of %d bytes", ErrConfig, len(pps))
	}
	// ISO/IEC 14496-15, 5.3.3.1.2: version, profile, compatibility, level, 6 bits set
	// and lengthSizeMinusOne 3, 3 bits set and one SPS, one PPS.
	config := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1, byte(len(sps) >> 8), byte(len(sps))}
	config = append(config, sps...)
	config = append(config, 1, byte(len(pps)>>8), byte(len(pps)))
	config = append(config, pps...)
	t := Track{Codec: H264, Config: config, Width: info.Width(), Height: info.Height()}
	if info.VUI != nil && info.VUI.TimingInfo != nil {
		t.FrameRate = info.FPS()
	}
	return t, nil
}

// H264ParameterSets splits an AVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 5.3.3.1) into its parameter sets. They are sub-slices of config.
func H264ParameterSets(config []byte) (sps, pps [][]byte, err error) {
	if len(config) < 7 || config[0] != 1 {
		return nil, nil, fmt.Errorf("%w: not an AVC configuration record", ErrConfig)
	}
	rest := config[5:]
	take := func(n int) (sets [][]byte) {
		for range n {
			if len(rest) < 2 || len(rest)-2 < int(rest[0])<<8|int(rest[1]) {
				err = fmt.Errorf("%w: truncated AVC configuration record", ErrConfig)
				return nil
			}
			size := int(rest[0])<<8 | int(rest[1])
			if size > 0 {
				sets = append(sets, rest[2:2+size])
			}
			rest = rest[2+size:]
		}
		return sets
	}
	n := int(rest[0] & 0x1f)
	rest = rest[1:]
	sps = take(n)
	if err == nil && len(rest) > 0 {
		n = int(rest[0])
		rest = rest[1:]
		pps = take(n)
	}
	if err == nil && (len(sps) == 0 || len(pps) == 0) {
		err = fmt.Errorf("%w: AVC configuration record without parameter sets", ErrConfig)
	}
	return sps, pps, err
}

// H264RecoveryPoint reports whether an SEI NAL unit contains a recovery point message
// (type 6; H.264, D.1.7): decoding can start here, in an open GOP or an intra refresh,
// although there is no IDR picture.
func H264RecoveryPoint(nal []byte) bool {
	if len(nal) < 2 {
		return false
	}
	sei := h264.EmulationPreventionRemove(nal[1:min(len(nal), maxSEI)])
	for len(sei) > 2 {
		kind, size := 0, 0
		for _, v := range []*int{&kind, &size} {
			for len(sei) > 0 && sei[0] == 255 {
				*v, sei = *v+255, sei[1:]
			}
			if len(sei) == 0 {
				return false
			}
			*v, sei = *v+int(sei[0]), sei[1:]
		}
		if kind == 6 {
			return true
		}
		sei = sei[min(size, len(sei)):]
	}
	return false
}

// maxSEI is how many bytes of an SEI NAL unit are searched for a recovery point.
const maxSEI = 2 << 10
