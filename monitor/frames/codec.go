package frames

import (
	"fmt"
	"math/bits"

	"obvan/media"
)

// decoderOf describes a track; nil when its configuration is missing or invalid.
func decoderOf(t *media.Track) *Decoder {
	d := &Decoder{Description: t.Config, Width: t.Width, Height: t.Height, SampleRate: t.SampleRate, Channels: t.Channels}
	switch t.Codec {
	case media.H264:
		if _, _, err := media.H264ParameterSets(t.Config); err == nil {
			d.Codec = fmt.Sprintf("avc1.%x", t.Config[1:4]) // RFC 6381, 3.3: profile, constraints, level
		}
	case media.H265:
		d.Codec = hevc(t.Config)
	case media.AV1:
		d.Codec = av1(t.Config)
		d.Description = nil // the sequence header comes in band
	case media.AAC:
		if len(t.Config) >= 2 {
			d.Codec = fmt.Sprintf("mp4a.40.%d", audioObject(t.Config))
		}
	case media.Opus:
		if t.Channels <= 2 {
			d.Codec, d.Description = "opus", nil
		}
	}
	if d.Codec == "" {
		return nil
	}
	return d
}

// hevc is the codec string of H.265, made from its configuration record (ISO/IEC 14496-15,
// 8.3.3.1 and E.3).
func hevc(c []byte) string {
	if len(c) < 23 || c[0] != 1 {
		return ""
	}
	space := [...]string{"", "A", "B", "C"}[c[1]>>6]
	tier := "L"
	if c[1]&0x20 != 0 {
		tier = "H"
	}
	compatible := bits.Reverse32(uint32(c[2])<<24 | uint32(c[3])<<16 | uint32(c[4])<<8 | uint32(c[5]))
	name := fmt.Sprintf("hvc1.%s%d.%X.%s%d", space, c[1]&0x1f, compatible, tier, c[12])
	constraints := c[6:12]
	for len(constraints) > 0 && constraints[len(constraints)-1] == 0 {
		constraints = constraints[:len(constraints)-1]
	}
	for _, b := range constraints {
		name += fmt.Sprintf(".%X", b)
	}
	return name
}

// av1 is the codec string of AV1, made from its configuration record (AV1 in ISOBMFF, 2.3
// and 5).
func av1(c []byte) string {
	if len(c) < 4 || c[0] != 0x81 {
		return ""
	}
	tier, depth := "M", 8
	if c[2]&0x80 != 0 {
		tier = "H"
	}
	switch {
	case c[2]&0x60 == 0x60:
		depth = 12
	case c[2]&0x40 != 0:
		depth = 10
	}
	return fmt.Sprintf("av01.%d.%02d%s.%02d", c[1]>>5, c[1]&0x1f, tier, depth)
}

// audioObject is the audio object type of an AudioSpecificConfig (ISO/IEC 14496-3,
// 1.6.2.1): five bits; 31 means that six more follow.
func audioObject(c []byte) int {
	object := int(c[0] >> 3)
	if object == 31 {
		object = 32 + int(c[0]&7)<<3 + int(c[1]>>5)
	}
	return object
}
