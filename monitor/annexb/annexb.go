// Package annexb formats frames as elementary streams, for ffmpeg processes that decode them.
package annexb

import "obvan/media"

// Format is ffmpeg's name of a codec's elementary stream; "" for a codec that is not decoded.
func Format(c media.Codec) string {
	switch c {
	case media.H264:
		return "h264"
	case media.H265:
		return "hevc"
	case media.AV1:
		return "obu"
	}
	return ""
}

// Append appends a frame as ffmpeg reads elementary streams: NAL units after start codes
// (ITU-T H.264, annex B), or OBUs after a temporal delimiter (AV1, 7.5). A keyframe is
// preceded by its parameter sets.
func Append(buf []byte, au *media.AccessUnit) []byte {
	track := au.Info()
	if track.Codec == media.AV1 {
		buf = append(buf, 0x12, 0)
		if au.Key && len(track.Config) > 4 {
			buf = append(buf, track.Config[4:]...)
		}
		return append(buf, au.Data...)
	}
	if au.Key {
		for _, set := range parameterSets(track) {
			buf = append(buf, 0, 0, 0, 1)
			buf = append(buf, set...)
		}
	}
	for nal := range media.NALUnits(au.Data) {
		buf = append(buf, 0, 0, 0, 1)
		buf = append(buf, nal...)
	}
	return buf
}

func parameterSets(track *media.Track) (all [][]byte) {
	if track.Codec == media.H264 {
		sps, pps, err := media.H264ParameterSets(track.Config)
		if err != nil {
			return nil
		}
		return append(sps, pps...)
	}
	all, err := media.H265ParameterSets(track.Config)
	if err != nil {
		return nil
	}
	return all
}
