// Package frames sends a stream's encoded video and audio to viewers that decode them
// themselves: browsers, with WebCodecs. It serves streams that WebRTC can't carry, such as
// those with B-frames or AAC.
//
// A viewer gets messages. A text message, in JSON (Codecs), describes the codecs of the
// units that follow; it comes first, and again when they change. A binary message is a
// unit: a header of 33 bytes, then its data as in media.AccessUnit. The header is one byte
// of flags, then four big-endian float64 in milliseconds: the presentation time, the decode
// time (both on the stream's clock), when the unit arrived at the server and when this
// message was made (both since 1970).
package frames

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"obvan/hub"
	"obvan/media"
)

// The flags of a unit.
const (
	FlagKeyframe = 1 << iota // decoding can start here
	FlagAudio                // it is audio
	FlagGap                  // frames before it were skipped: the viewer was too slow
)

// HeaderSize is the size of the header of a unit's message.
const HeaderSize = 33

// maxLag is how far a viewer may be behind before it skips to the newest keyframe: a live
// view must not fall further and further behind.
const maxLag = time.Second

// Codecs is the text message. A field is left out when the stream has no such track, or a
// track without a codec string.
type Codecs struct {
	Video *Decoder `json:"video,omitempty"`
	Audio *Decoder `json:"audio,omitempty"`
}

// Decoder configures a decoder; the fields are those of WebCodecs.
type Decoder struct {
	Codec       string `json:"codec"`                 // RFC 6381
	Description []byte `json:"description,omitempty"` // in base64
	Width       int    `json:"width,omitempty"`
	Height      int    `json:"height,omitempty"`
	SampleRate  int    `json:"sampleRate,omitempty"`
	Channels    int    `json:"channels,omitempty"`
}

// Message is one message to a viewer. Its slices are valid until the next call.
type Message struct {
	Text   []byte // or:
	Header []byte
	Data   []byte
}

// Viewer reads one stream for one viewer.
type Viewer struct {
	sub      *hub.Subscriber
	tracks   *media.Tracks
	sendable [2]bool // video, audio
	gap      bool
	pending  *media.AccessUnit // the unit to send after the codecs
	header   [HeaderSize]byte
}

// ErrCodec is for a stream of which no track can be sent.
var ErrCodec = errors.New("no codec string is defined for this stream")

// Open reads stream from its newest keyframe on. It fails with hub.ErrNoStream.
func Open(h *hub.Hub, stream string) (*Viewer, error) {
	sub, err := h.Subscribe(stream)
	if err != nil {
		return nil, err
	}
	return &Viewer{sub: sub}, nil
}

// Close ends the subscription.
func (v *Viewer) Close() { v.sub.Close() }

// Next waits for the next message. It returns io.EOF when the stream ended.
func (v *Viewer) Next(ctx context.Context) (Message, error) {
	if au := v.pending; au != nil {
		v.pending = nil
		return v.unit(au), nil
	}
	for {
		if v.sub.Latency() > maxLag && v.sub.SkipToKeyframe() > 0 {
			v.gap = true
		}
		au, err := v.sub.Next(ctx)
		if err != nil {
			return Message{}, err
		}
		if au.Tracks != v.tracks {
			text, err := v.configure(au.Tracks)
			if err != nil {
				return Message{}, err
			}
			if v.accepts(&au) {
				v.pending = &au
			}
			return Message{Text: text}, nil
		}
		if v.accepts(&au) {
			return v.unit(&au), nil
		}
	}
}

func (v *Viewer) accepts(au *media.AccessUnit) bool {
	if len(au.Data) == 0 {
		return false
	}
	if au.Video() {
		return v.sendable[0]
	}
	return v.sendable[1]
}

func (v *Viewer) configure(tracks *media.Tracks) ([]byte, error) {
	v.tracks = tracks
	c := codecsOf(tracks)
	v.sendable = [2]bool{c.Video != nil, c.Audio != nil}
	if c.Video == nil && c.Audio == nil {
		return nil, ErrCodec
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("describe the codecs: %w", err)
	}
	return text, nil
}

func (v *Viewer) unit(au *media.AccessUnit) Message {
	var flags byte
	if au.Key {
		flags |= FlagKeyframe
	}
	if !au.Video() {
		flags |= FlagAudio
	}
	if v.gap && au.Video() {
		flags |= FlagGap
		v.gap = false
	}
	v.header[0] = flags
	for i, ms := range [4]float64{millis(au.PTS), millis(au.DTS), since1970(au.Arrived), since1970(time.Now())} {
		binary.BigEndian.PutUint64(v.header[1+8*i:], math.Float64bits(ms))
	}
	return Message{Header: v.header[:], Data: au.Data}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func since1970(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }

// Watchable reports whether the video of a stream with these tracks can be sent to a viewer.
func Watchable(tracks *media.Tracks) bool { return codecsOf(tracks).Video != nil }

func codecsOf(tracks *media.Tracks) (c Codecs) {
	if i := tracks.Video(); i >= 0 {
		c.Video = decoderOf(&(*tracks)[i])
	}
	if i := tracks.Audio(); i >= 0 {
		c.Audio = decoderOf(&(*tracks)[i])
	}
	return c
}
