package whip

import (
	"bytes"

	"obvan/media"
	"obvan/media/rtp"
	"obvan/media/sound"
	"obvan/relay"
)

// voice is the program's sound as Opus.
type audioEncoder struct {
	track      *media.Track
	transcoder sound.Transcoder // nil when it can't be turned: the picture goes alone
	tracks     media.Tracks     // of what comes out
	link       *relay.Link
}

// speech is the sound's RTP stream. It goes on whatever the program's sound is coded
// as: a receiver throws away what is numbered as if it were old (RFC 3711, 3.3.2).
type audioStream struct {
	packets *rtp.Packetiser
	flow    rtpStream
}

func newAudioStream() (*audioStream, error) {
	track := sound.Track()
	packets, err := rtp.NewPacketiserOf(&track, 111, packetSize)
	return &audioStream{packets: packets}, err
}

// newVoice makes one; the sender has begun with its pictures.
func newAudioEncoder(s *sender, track *media.Track) *audioEncoder {
	v := &audioEncoder{track: track, tracks: media.Tracks{sound.Track()}, link: s.link}
	s.link.SetWarning("")
	if !s.accepts[1] {
		s.link.SetWarning("the server does not take Opus: the picture goes without sound")
		return v
	}
	if s.audioStream == nil {
		var err error
		if s.audioStream, err = newAudioStream(); err != nil {
			return v
		}
	}
	var err error
	v.transcoder, err = sound.New(track, s.out.ffmpeg, func(au media.AccessUnit) { // perhaps on a goroutine of its own
		au.Tracks = &v.tracks
		if packets, err := s.audioStream.packets.Packets(&au); err == nil {
			_ = s.write(s.audio, &s.audioStream.flow, packets, s.at(&au)) // a connection that is over is noticed with the picture
		}
	})
	if err != nil {
		v.transcoder = nil
		s.link.SetWarning("the picture goes without sound: " + err.Error())
	}
	return v
}

// fits says whether the sound of other tracks is coded the same: it must not click.
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
		v.link.SetWarning("the picture goes without sound: " + err.Error())
	}
}

func (v *audioEncoder) close() {
	if v.transcoder != nil {
		_ = v.transcoder.Close() // it was told to end: its complaint is no news
		v.transcoder = nil
	}
}
