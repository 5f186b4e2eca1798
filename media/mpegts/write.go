package mpegts

import (
	"fmt"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"obvan/media"
)

// Writer makes the packets of one stream. It is for one goroutine.
type Writer struct {
	tracks   *media.Tracks
	elements []element // by track
	version  byte
	tables   [2][]byte // PAT, PMT
	sets     [][]byte  // the video's parameter sets
	adts     [7]byte   // the header of an AAC frame, without the length

	counters map[uint16]*byte // continuity, by PID
	clockPID uint16
	newest

	parts [][]byte // of the PES packet being written
	head  [64]byte
}

// newest are the latest decode times at which tables, clock and audio were sent.
type newest struct {
	begun      bool
	tablesAt   time.Duration // of the tables
	clockAt    time.Duration // of the program clock reference
	audioAt    time.Duration // of the audio, when there is video
	audioAhead time.Duration // how far that was ahead of the last video frame
}

// NewWriter makes a writer of tracks. ErrNotCarried, media.ErrConfig.
func NewWriter(tracks *media.Tracks) (*Writer, error) {
	w := &Writer{counters: map[uint16]*byte{pidPAT: new(byte), pidPMT: new(byte), pidVideo: new(byte), pidAudio: new(byte)}}
	return w, w.SetTracks(tracks)
}

// SetTracks continues with another generation. The next tables describe it; new parameter
// sets travel with the keyframes anyway.
func (w *Writer) SetTracks(tracks *media.Tracks) error {
	if len(*tracks) == 0 {
		return fmt.Errorf("%w: neither video nor audio", ErrNotCarried)
	}
	elements := make([]element, len(*tracks))
	var sets [][]byte
	var adts [7]byte
	for i := range *tracks {
		t := &(*tracks)[i]
		var err error
		if elements[i], err = describe(t); err != nil {
			return err
		}
		switch t.Codec {
		case media.H264:
			var sps, pps [][]byte
			sps, pps, err = media.H264ParameterSets(t.Config)
			sets = append(append(sets, sps...), pps...)
		case media.H265:
			sets, err = media.H265ParameterSets(t.Config)
		case media.AAC:
			adts, err = adtsHeader(t.Config)
		}
		if err != nil {
			return err
		}
	}
	if w.tracks != nil {
		w.version = (w.version + 1) & 0x1f
	}
	w.tracks, w.elements, w.sets, w.adts, w.begun = tracks, elements, sets, adts, false
	w.clockPID = elements[max(tracks.Video(), 0)].pid
	w.tables = [2][]byte{pat(w.version), pmt(w.version, w.clockPID, elements)}
	return nil
}

// Fits reports whether a receiver of the current tracks can continue with others: the same
// codecs, in any configuration.
func (w *Writer) Fits(tracks *media.Tracks) bool {
	if len(*tracks) != len(*w.tracks) {
		return false
	}
	for i := range *tracks {
		if (*tracks)[i].Codec != (*w.tracks)[i].Codec {
			return false
		}
	}
	return true
}

// Append appends the packets of a unit to b; shift is added to its times, which must not
// become negative.
func (w *Writer) Append(b []byte, au *media.AccessUnit, shift time.Duration) ([]byte, error) {
	e := &w.elements[au.Track]
	pts, dts := au.PTS+shift, au.DTS+shift
	if dts < 0 || pts < 0 {
		return b, fmt.Errorf("a transport stream can't have negative times: %v", min(dts, pts))
	}
	video := e.pid == pidVideo
	if !w.begun || dts-w.tablesAt >= tablesEvery || video && au.Key {
		w.begun, w.tablesAt = true, dts
		b = w.packets(b, pidPAT, w.tables[0], true)
		b = w.packets(b, pidPMT, w.tables[1], true)
	}
	var first adaptation
	if e.pid == w.clockPID {
		w.clockAt, w.audioAhead = max(dts, w.clockAt), max(w.audioAt-dts, 0)
		first = adaptation{clock: true, at: w.clockAt - lead, random: au.Key}
	} else {
		if w.audioAt == 0 {
			w.audioAhead = max(dts-w.clockAt, 0)
		}
		w.audioAt = dts
		if at := dts - w.audioAhead; at-w.clockAt >= pcrEvery { // a low frame rate must not slow the clock
			w.clockAt = at
			b = w.clockOnly(b, at-lead)
		}
	}
	if err := w.pes(au, e, pts, dts); err != nil {
		return b, err
	}
	return w.payload(b, e.pid, first), nil
}

// pes collects the parts of a unit's PES packet (2.4.3.6).
func (w *Writer) pes(au *media.AccessUnit, e *element, pts, dts time.Duration) error {
	w.parts = append(w.parts[:0], nil) // the header, see below
	switch codec := au.Info().Codec; codec {
	case media.H264, media.H265:
		w.addVideo(au, codec)
	case media.AAC:
		head, err := w.adtsFrame(len(au.Data))
		if err != nil {
			return err
		}
		w.parts = append(w.parts, head, au.Data)
	case media.Opus:
		w.parts = append(w.parts, opusHeader(len(au.Data)), au.Data)
	}
	size := 0
	for _, p := range w.parts {
		size += len(p)
	}
	h := append(w.head[:0], 0, 0, 1, e.id, 0, 0, 0x84, 0x80, 5) // aligned; presentation time only
	if pts != dts {
		h[7], h[8] = 0xc0, 10
		h = appendTime(h, 0x3, pts)
		h = appendTime(h, 0x1, dts)
	} else {
		h = appendTime(h, 0x2, pts)
	}
	if size += len(h) - 6; e.id != idVideo && size <= 0xffff {
		h[4], h[5] = byte(size>>8), byte(size) // video may have 0: unbounded
	}
	w.parts[0] = h
	return nil
}

// Start codes, and the access unit delimiters that transport streams require (2.14.1).
var (
	startCode     = []byte{0, 0, 0, 1}
	delimiterH264 = []byte{0, 0, 0, 1, 9, 0xf0}
	delimiterH265 = []byte{0, 0, 0, 1, 35 << 1, 1, 0x50}
)

// addVideo adds a video frame in byte stream format (ISO/IEC 14496-10, annex B).
func (w *Writer) addVideo(au *media.AccessUnit, codec media.Codec) {
	if codec == media.H264 {
		w.parts = append(w.parts, delimiterH264)
	} else {
		w.parts = append(w.parts, delimiterH265)
	}
	if au.Key { // a receiver may have just tuned in
		for _, set := range w.sets {
			w.parts = append(w.parts, startCode, set)
		}
	}
	for nal := range media.NALUnits(au.Data) {
		w.parts = append(w.parts, startCode, nal)
	}
}

// adtsHeader is the header before each AAC frame (ISO/IEC 14496-3, 1.A.2.2).
func adtsHeader(config []byte) (h [7]byte, err error) {
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(config); err != nil {
		return h, fmt.Errorf("%w: AAC: %w", media.ErrConfig, err)
	}
	b, err := mpeg4audio.ADTSPackets{{Type: c.Type, SampleRate: c.SampleRate, ChannelConfig: c.ChannelConfig}}.Marshal()
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%w: AAC that ADTS can't describe: %w", ErrNotCarried, err)
	}
	return [7]byte(b), nil
}

// adtsFrame is the header of a frame of size bytes; its length field has 13 bits.
func (w *Writer) adtsFrame(size int) ([]byte, error) {
	h := w.adts[:]
	if size += len(h); size > 0x1fff {
		return nil, fmt.Errorf("%w: an AAC frame of %d bytes", ErrNotCarried, size)
	}
	h[3], h[4], h[5] = h[3]&0xfc|byte(size>>11), byte(size>>3), h[5]&0x1f|byte(size<<5)
	return h, nil
}

// opusHeader is the control header of an Opus access unit: its length in steps of
// 255.
func opusHeader(size int) []byte {
	h := []byte{0x7f, 0xe0}
	for ; size >= 255; size -= 255 {
		h = append(h, 255)
	}
	return append(h, byte(size))
}

// appendTime appends a time as the five bytes of a PES header, with marker bits.
func appendTime(b []byte, prefix byte, t time.Duration) []byte {
	v := ticks(t)
	return append(b, prefix<<4|byte(v>>29)&0x0e|1, byte(v>>22), byte(v>>14)|1, byte(v>>7), byte(v<<1)|1)
}
