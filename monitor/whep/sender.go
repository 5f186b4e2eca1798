package whep

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"obvan/media/rtp"
)

const (
	videoRate = 90000 // the RTP clock of video (RFC 6184, 8.2.1)
	audioRate = 48000 // and of Opus, whatever the audio's own rate (RFC 7587, 4.1)
)

// historySize is how many packets can be retransmitted: an initial burst of 2.4 MB. It is a
// power of two because sequence numbers wrap.
const historySize = 2048

// sender is one RTP stream to one viewer: it numbers, stamps and retransmits packets. The
// payloads are shared with all other viewers of the source. It is the track that pion binds;
// pion's own StaticRTP copies each packet once more, and its NACK interceptor twice. Once bound
// it belongs to one goroutine.
type sender struct {
	kind   webrtc.RTPCodecType
	stream string // audio and video of one stream are played in sync

	once  sync.Once
	bound chan struct{}
	out   webrtc.TrackLocalWriter

	header  pion.Header
	delay   playout // header refers to it
	history []sentPacket
	packets uint32
	octets  uint32
}

// sentPacket has all that is needed to send a packet again, bit for bit the same: SRTP must
// never encrypt two different packets with one sequence number.
type sentPacket struct {
	seq     uint16
	marker  bool
	delay   playout
	time    uint32
	payload []byte
}

func newSender(kind webrtc.RTPCodecType, stream string) *sender {
	s := &sender{kind: kind, stream: stream, bound: make(chan struct{})}
	s.header = pion.Header{Version: 2, SequenceNumber: uint16(rand.Uint32())}
	if kind == webrtc.RTPCodecTypeVideo {
		s.history = make([]sentPacket, historySize)
	}
	return s
}

// The methods of webrtc.TrackLocal.

func (s *sender) ID() string                            { return s.kind.String() }
func (s *sender) RID() string                           { return "" }
func (s *sender) StreamID() string                      { return s.stream }
func (s *sender) Kind() webrtc.RTPCodecType             { return s.kind }
func (s *sender) Unbind(webrtc.TrackLocalContext) error { return nil } // writes then fail

// Bind applies what was negotiated, before the first packet.
func (s *sender) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	mime := webrtc.MimeTypeH264
	if s.kind == webrtc.RTPCodecTypeAudio {
		mime = webrtc.MimeTypeOpus
	}
	for _, codec := range ctx.CodecParameters() {
		if codec.MimeType != mime {
			continue
		}
		s.once.Do(func() {
			s.out, s.header.SSRC, s.header.PayloadType = ctx.WriteStream(), uint32(ctx.SSRC()), uint8(codec.PayloadType)
			s.extend(ctx.HeaderExtensions())
			close(s.bound)
		})
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

const playoutDelayURI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

func (s *sender) extend(negotiated []webrtc.RTPHeaderExtensionParameter) {
	for _, ext := range negotiated {
		if ext.URI == playoutDelayURI && s.kind == webrtc.RTPCodecTypeVideo {
			_ = s.header.SetExtension(uint8(ext.ID), s.delay[:]) // fails if the ID is out of range: then there is no extension
		}
	}
}

// playout is how long browsers may delay frames: the value of the
// playout-delay extension, min and max in 10 ms, 12 bits each. It is set on each
// packet because browsers keep the last value.
type playout [3]byte

// Without audio, frames are shown immediately. 10 s is what browsers allow without the
// extension.
var (
	playImmediately = playout{}
	playSmooth      = playout{0, 0x03, 0xe8}
)

// audioBuffering is how much longer audio takes in a browser than video: one packet's duration,
// a buffer of two or three packets, the audio device. Measured in Chromium.
const audioBuffering = 100 * time.Millisecond

// playInSync delays the video for audio that arrives late by that much. Browsers would find the
// offset themselves, but slowly (20 s for a camera that sends its audio in bursts), only to
// within 30 ms, and not at all when the maximum delay is zero: so the maximum leaves room for
// their own correction.
func playInSync(late time.Duration) playout {
	const step = 10 * time.Millisecond
	steps := min(max(late+audioBuffering+step/2, 0)/step, 0xff0)
	room := max(steps, time.Duration(playSmooth[1])<<8|time.Duration(playSmooth[2]))
	return playout{byte(steps >> 4), byte(steps<<4) | byte(room>>8), byte(room)}
}

// send writes the packets of one unit. The timestamp is the unit's own, unless the
// viewer went back to a keyframe: then the timestamp grows by the smallest step, because
// browsers drop frames with an earlier timestamp.
func (s *sender) send(payloads [][]byte, stamp uint32) error {
	if s.packets > 0 && int32(stamp-s.header.Timestamp) <= 0 {
		stamp = s.header.Timestamp + 1
	}
	s.header.Timestamp = stamp
	for i, payload := range payloads {
		// The marker bit marks the last packet of a frame. For audio it would mark the start
		// after a silence, which does not occur (RFC 6184, 5.1; RFC 7587, 4.1).
		s.header.Marker = i == len(payloads)-1 && s.kind == webrtc.RTPCodecTypeVideo
		s.header.SequenceNumber++
		if s.history != nil {
			s.history[s.header.SequenceNumber%historySize] = sentPacket{s.header.SequenceNumber, s.header.Marker, s.delay, stamp, payload}
		}
		s.packets++
		s.octets += uint32(len(payload))
		if _, err := s.out.WriteRTP(&s.header, payload); err != nil {
			return err
		}
	}
	return nil
}

// retransmit sends lost packets again, at most limit, and returns how many it sent.
func (s *sender) retransmit(lost []rtcp.NackPair, limit int) (resent int) {
	if s.history == nil {
		return 0
	}
	header, delay := s.header, s.delay
	defer func() { s.delay = delay }()
	for i := range lost {
		lost[i].Range(func(seq uint16) bool {
			p := &s.history[seq%historySize]
			if p.payload == nil || p.seq != seq {
				return true
			}
			if resent == limit {
				return false
			}
			resent++
			header.SequenceNumber, header.Marker, header.Timestamp = p.seq, p.marker, p.time
			s.delay = p.delay
			_, err := s.out.WriteRTP(&header, p.payload)
			return err == nil
		})
	}
	return resent
}

// report is the sender report that maps RTP timestamps to the wall clock (RFC 3550, 6.4.1): the
// stream's time 0 was at epoch. Browsers use it to play audio and video in sync. It is nil
// before the first packet.
func (s *sender) report(now, epoch time.Time) *rtcp.SenderReport {
	if s.packets == 0 {
		return nil
	}
	return &rtcp.SenderReport{
		SSRC: s.header.SSRC, NTPTime: rtp.NTP(now), RTPTime: rtpTime(now.Sub(epoch), s.rate()),
		PacketCount: s.packets, OctetCount: s.octets,
	}
}

func (s *sender) rate() int64 {
	if s.kind == webrtc.RTPCodecTypeAudio {
		return audioRate
	}
	return videoRate
}

// rtpTime is a time on the stream's clock as an RTP timestamp, rounded. It wraps.
func rtpTime(t time.Duration, rate int64) uint32 {
	sec, rest := t/time.Second, t%time.Second
	return uint32(int64(sec)*rate + (int64(rest)*rate+int64(time.Second)/2)/int64(time.Second))
}
