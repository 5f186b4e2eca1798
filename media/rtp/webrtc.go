package rtp

import (
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
)

// NewBrowserReader reads what browsers send over WebRTC into sink: H.264 with its
// parameter sets in band, and Opus. Video is input 0, audio comes after it.
func NewBrowserReader(video, audio bool, sink Sink) (*Reader, error) {
	desc := &description.Session{}
	if video {
		desc.Medias = append(desc.Medias, &description.Media{
			Type: description.MediaTypeVideo, Formats: []format.Format{&format.H264{PayloadTyp: 96, PacketizationMode: 1}},
		})
	}
	if audio {
		desc.Medias = append(desc.Medias, &description.Media{
			Type: description.MediaTypeAudio, Formats: []format.Format{&format.Opus{PayloadTyp: 97, ChannelCount: 2}},
		})
	}
	return NewReader(desc, sink)
}
