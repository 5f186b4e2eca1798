package rtp

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtpav1"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph265"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtpmpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	pion "github.com/pion/rtp"

	"obvan/media"
)

// maxPayload leaves room for RTP, UDP, IP and a tunnel or SRTP in an Ethernet frame.
const maxPayload = 1400

// Packetiser makes one track's packets. Sequence numbers and timestamps start at
// random (RFC 3550, 5.1). It is for one goroutine.
type Packetiser struct {
	format   format.Format
	encode   func(parts [][]byte) ([]*pion.Packet, error)
	config   *media.Tracks // whose parameter sets sets is
	sets     [][]byte
	first    uint32
	payload  uint8
	size     int // of a packet's payload, at most
	sequence uint16
	ssrc     uint32
}

// NewPacketiser makes packets for track with an RTP payload type. It fails with
// ErrNotSent, or media.ErrConfig for a bad configuration record.
func NewPacketiser(track *media.Track, payloadType uint8) (*Packetiser, error) {
	return NewPacketiserOf(track, payloadType, maxPayload)
}

// NewPacketiserOf is NewPacketiser for paths whose packets must be smaller.
func NewPacketiserOf(track *media.Track, payloadType uint8, size int) (*Packetiser, error) {
	p := &Packetiser{first: rand.Uint32(), payload: payloadType, size: size, sequence: uint16(rand.Uint32()), ssrc: rand.Uint32()}
	var err error
	switch track.Codec {
	case media.H264:
		err = p.h264(track)
	case media.H265:
		err = p.h265(track)
	case media.AV1:
		err = p.av1()
	case media.AAC:
		err = p.aac(track)
	case media.Opus:
		p.format = &format.Opus{PayloadTyp: payloadType, ChannelCount: min(max(track.Channels, 1), 2)}
	default:
		err = fmt.Errorf("%w: %v", ErrNotSent, track.Codec)
	}
	if err != nil {
		return nil, fmt.Errorf("RTP: %w", err)
	}
	return p, nil
}

func (p *Packetiser) h264(track *media.Track) error {
	sps, pps, err := media.H264ParameterSets(track.Config)
	if err != nil {
		return err
	}
	p.format = &format.H264{PayloadTyp: p.payload, SPS: sps[0], PPS: pps[0], PacketizationMode: 1}
	e := &rtph264.Encoder{PayloadType: p.payload, PayloadMaxSize: p.size, PacketizationMode: 1, SSRC: &p.ssrc, InitialSequenceNumber: &p.sequence}
	p.encode = e.Encode
	return e.Init()
}

func (p *Packetiser) h265(track *media.Track) error {
	vps, sps, pps, err := h265Sets(track.Config)
	if err != nil {
		return err
	}
	p.format = &format.H265{PayloadTyp: p.payload, VPS: vps, SPS: sps, PPS: pps}
	e := &rtph265.Encoder{PayloadType: p.payload, PayloadMaxSize: p.size, SSRC: &p.ssrc, InitialSequenceNumber: &p.sequence}
	p.encode = e.Encode
	return e.Init()
}

func (p *Packetiser) av1() error {
	p.format = &format.AV1{PayloadTyp: p.payload}
	e := &rtpav1.Encoder{PayloadType: p.payload, PayloadMaxSize: p.size, SSRC: &p.ssrc, InitialSequenceNumber: &p.sequence}
	p.encode = e.Encode
	return e.Init()
}

func (p *Packetiser) aac(track *media.Track) error {
	config := &mpeg4audio.AudioSpecificConfig{}
	if err := config.Unmarshal(track.Config); err != nil {
		return fmt.Errorf("%w: AAC: %w", media.ErrConfig, err)
	}
	f := &format.MPEG4Audio{PayloadTyp: p.payload, Config: config, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
	p.format = f
	e := &rtpmpeg4audio.Encoder{
		PayloadType: p.payload, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3,
		PayloadMaxSize: p.size, SSRC: &p.ssrc, InitialSequenceNumber: &p.sequence,
	}
	p.encode = encodeAAC(e)
	return e.Init()
}

// Format describes the packets for SDP.
func (p *Packetiser) Format() format.Format { return p.format }

// Timestamp is the RTP timestamp of a stream's time.
func (p *Packetiser) Timestamp(au *media.AccessUnit) uint32 {
	return p.first + uint32(ticks(au.PTS, clockRate(p.format)))
}

// Packets returns au's packets. Those of a keyframe start with the parameter sets, because
// a receiver may have just joined. Payloads may be parts of au.Data.
func (p *Packetiser) Packets(au *media.AccessUnit) ([]*pion.Packet, error) {
	var pkts []*pion.Packet
	parts, err := p.parts(au)
	switch {
	case err != nil:
	case p.encode == nil: // Opus: a packet is a packet (RFC 7587, 4.2)
		pkts = []*pion.Packet{{Header: pion.Header{Version: 2, Marker: true, PayloadType: p.payload, SequenceNumber: p.sequence, SSRC: p.ssrc}, Payload: au.Data}}
		p.sequence++
	case len(parts) == 0:
		err = fmt.Errorf("%w: nothing in it", errUnit)
	default:
		pkts, err = p.encode(parts)
	}
	if err != nil {
		return nil, fmt.Errorf("RTP packets of %v: %w", au.Info().Codec, err)
	}
	ts := p.Timestamp(au)
	for _, pkt := range pkts {
		pkt.Timestamp += ts
	}
	return pkts, nil
}

// parts is a unit in the form the library's encoder takes.
func (p *Packetiser) parts(au *media.AccessUnit) ([][]byte, error) {
	switch info := au.Info(); info.Codec {
	case media.H264, media.H265:
		nalus, err := splitAVCC(au.Data)
		if err != nil || !au.Key {
			return nalus, err
		}
		if p.config != au.Tracks {
			if p.sets, err = parameterSets(info); err != nil {
				return nil, err
			}
			p.config = au.Tracks
		}
		return append(p.sets[:len(p.sets):len(p.sets)], nalus...), nil
	case media.AV1:
		var obus av1.Bitstream
		err := obus.Unmarshal(au.Data)
		return obus, err
	}
	return [][]byte{au.Data}, nil
}

func parameterSets(t *media.Track) ([][]byte, error) {
	if t.Codec == media.H265 {
		return media.H265ParameterSets(t.Config)
	}
	sps, pps, err := media.H264ParameterSets(t.Config)
	return append(append([][]byte{}, sps...), pps...), err
}

// splitAVCC is a unit's NAL units, as parts of it.
func splitAVCC(data []byte) (nalus [][]byte, err error) {
	for len(data) > 0 {
		if len(data) < 4 {
			return nil, fmt.Errorf("%w: truncated", errUnit)
		}
		size := binary.BigEndian.Uint32(data)
		if uint64(size) > uint64(len(data)-4) {
			return nil, fmt.Errorf("%w: a NAL unit of %d bytes in %d", errUnit, size, len(data)-4)
		}
		if size > 0 {
			nalus = append(nalus, data[4:4+size])
		}
		data = data[4+size:]
	}
	return nalus, nil
}

// h265Sets is the first set of each kind in an HEVCDecoderConfigurationRecord.
func h265Sets(config []byte) (vps, sps, pps []byte, err error) {
	all, err := media.H265ParameterSets(config)
	if err != nil {
		return nil, nil, nil, err
	}
	var first [3][]byte
	for _, set := range all {
		// VPS, SPS, PPS (ITU-T H.265, 7.3.1.2 and table 7-1); they come in this order.
		if kind := set[0]>>1&0x3f - 32; kind < 3 && first[kind] == nil {
			first[kind] = set
		}
	}
	if first[0] == nil || first[1] == nil || first[2] == nil {
		return nil, nil, nil, fmt.Errorf("%w: HEVC configuration record without parameter sets", media.ErrConfig)
	}
	return first[0], first[1], first[2], nil
}

// Writer makes a stream's packets and its session description. It is for one
// goroutine.
type Writer struct {
	desc   *description.Session
	tracks []*Packetiser
	medias []*description.Media
}

// NewWriter describes tracks. Those that can't be sent are omitted; ErrNotSent when none
// remains.
func NewWriter(tracks *media.Tracks) (*Writer, error) {
	w := &Writer{desc: &description.Session{}, tracks: make([]*Packetiser, len(*tracks)), medias: make([]*description.Media, len(*tracks))}
	var err error
	for i := range *tracks {
		p, perr := NewPacketiser(&(*tracks)[i], uint8(96+i))
		if perr != nil {
			err = perr
			continue
		}
		kind := description.MediaTypeAudio
		if (*tracks)[i].Codec.Video() {
			kind = description.MediaTypeVideo
		}
		m := &description.Media{Type: kind, Control: fmt.Sprintf("trackID=%d", len(w.desc.Medias)), Formats: []format.Format{p.Format()}}
		w.tracks[i], w.medias[i] = p, m
		w.desc.Medias = append(w.desc.Medias, m)
	}
	if len(w.desc.Medias) == 0 {
		if err == nil {
			err = ErrNotSent
		}
		return nil, err
	}
	return w, nil
}

// Description is the session description for a receiver.
func (w *Writer) Description() *description.Session { return w.desc }

// Media is the description of a track, nil when it can't be sent.
func (w *Writer) Media(track int) *description.Media {
	if track < 0 || track >= len(w.medias) {
		return nil
	}
	return w.medias[track]
}

// Track is the packetiser of a track, nil when it can't be sent.
func (w *Writer) Track(track int) *Packetiser {
	if track < 0 || track >= len(w.tracks) {
		return nil
	}
	return w.tracks[track]
}

// Fits reports whether packets of another generation still match the description: new
// parameter sets travel with the keyframes, but another codec or audio format does not.
func (w *Writer) Fits(old, now *media.Tracks) bool {
	if len(*old) != len(*now) {
		return false
	}
	for i := range *old {
		a, b := &(*old)[i], &(*now)[i]
		if a.Codec != b.Codec || (a.Codec.Audio() && (string(a.Config) != string(b.Config) || a.SampleRate != b.SampleRate)) {
			return false
		}
	}
	return true
}
