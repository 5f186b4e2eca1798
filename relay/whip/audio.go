package whip

import (
	"bytes"

	"obvan/media"
	"obvan/media/rtp"
	"obvan/media/transcode"
	"obvan/relay"
)

// audioEncoder makes Opus of the program's audio.
type audioEncoder struct {
	track      *media.Track
	transcoder transcode.Transcoder // nil when it can't be transcoded: video is sent alone
	tracks     media.Tracks         // of the result
	link       *relay.Link
}

// audioStream is the audio's RTP stream. It continues whatever codec the program's audio
// has: a receiver discards packets that are numbered as if they were old (RFC 3711,
// 3.3.2).
type audioStream struct {
	packets *rtp.Packetiser
	flow    rtpStream
}

func newAudioStream() (*audioStream, error) {
	track := transcode.Track()
	packets, err := rtp.NewPacketiserOf(&track, 111, packetSize)
	return &audioStream{packets: packets}, err
}

// newAudioEncoder makes one; the sender has begun with its video.
func newAudioEncoder(s *sender, track *media.Track) *audioEncoder {
	v := &audioEncoder{track: track, tracks: media.Tracks{transcode.Track()}, link: s.link}
	s.link.SetWarning("")
	if !s.accepts[1] {
		s.link.SetWarning("the server does not accept Opus: video is sent without audio")
		return v
	}
	if s.audioStream == nil {
		var err error
		if s.audioStream, err = newAudioStream(); err != nil {
			return v
		}
	}
	var err error
	v.transcoder, err = transcode.New(track, s.out.ffmpeg, func(au media.AccessUnit) { // perhaps on another goroutine
		au.Tracks = &v.tracks
		if packets, err := s.audioStream.packets.Packets(&au); err == nil {
			_ = s.write(s.audio, &s.audioStream.flow, packets, s.at(&au)) // a closed connection is noticed with the video
		}
	})
	if err != nil {
		v.transcoder = nil
		s.link.SetWarning("video is sent without audio: " + err.Error())
	}
	return v
}

// fits reports whether the audio of other tracks has the same codec and configuration:
// restarting would be heard as a click.
func (v *audioEncoder) fits(tracks *media.Tracks) bool {
	a := tracks.Audio()
	return a >= 0 && (*tracks)[a].Codec == v.track.Codec && bytes.Equal((*tracks)[a].Config, v.track.Config)
}

func (v *audioEncoder) write(au *media.AccessUnit) {
	if v.transcoder == nil {
		return
	}
	if err := v.transcoder.Write(au); err != nil {
		v.close()
		v.link.SetWarning("video is sent without audio: " + err.Error())
	}
}

func (v *audioEncoder) close() {
	if v.transcoder != nil {
		_ = v.transcoder.Close() // it was told to end: an error says nothing new
		v.transcoder = nil
	}
}
