package rtp

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"

	"obvan/media"
)

// Reader turns a peer's packets into access units, of one video and one audio track. It
// is safe for concurrent use: RTP and RTCP arrive on different goroutines.
type Reader struct {
	mu      sync.Mutex
	sink    Sink
	formats []Format
	inputs  []input
	times   []timeline
	order   decodeOrder
	reports reports
	began   time.Time
	known   bool // the sink has tracks
}

// Format describes one of a Reader's inputs, for the caller that passes it the packets.
type Format struct {
	Media  *description.Media
	Format format.Format
}

// NewReader reads the first video and the first audio format of desc that are supported,
// into sink. ErrNoTracks when there is neither.
func NewReader(desc *description.Session, sink Sink) (*Reader, error) {
	r := &Reader{sink: sink}
	for _, want := range []func(format.Format) input{videoInput, audioInput} {
		if f, in, ok := find(desc, want); ok {
			r.formats, r.inputs = append(r.formats, f), append(r.inputs, in)
			r.times = append(r.times, timeline{rate: clockRate(f.Format)})
		}
	}
	if len(r.inputs) == 0 {
		return nil, ErrNoTracks
	}
	return r, nil
}

func find(desc *description.Session, want func(format.Format) input) (Format, input, bool) {
	for _, m := range desc.Medias {
		if m.IsBackChannel {
			continue
		}
		for _, f := range m.Formats {
			if in := want(f); in != nil && f.ClockRate() > 0 {
				return Format{m, f}, in, true
			}
		}
	}
	return Format{}, nil, false
}

func videoInput(f format.Format) input {
	switch f := f.(type) {
	case *format.H264:
		return newH264(f)
	case *format.H265:
		return newH265(f)
	case *format.AV1:
		return newAV1(f)
	}
	return nil
}

func audioInput(f format.Format) input {
	switch f := f.(type) {
	case *format.MPEG4Audio:
		if in, err := newAAC(f); err == nil {
			return in
		}
	case *format.MPEG4AudioLATM:
		if in, err := newLATM(f); err == nil {
			return in
		}
	case *format.Opus:
		if in, err := newOpus(f); err == nil {
			return in
		}
	}
	return nil
}

// Formats are the inputs, in the order of the indexes that Packet and SenderReport take:
// video first.
func (r *Reader) Formats() []Format { return r.formats }

// UnsupportedAudioCodec is the name of the audio codec in desc when it is not supported;
// "" when there is supported audio, or none.
func (r *Reader) UnsupportedAudioCodec(desc *description.Session) string {
	if len(r.inputs) == 2 || !r.Video() {
		return ""
	}
	for _, m := range desc.Medias {
		if m.Type == description.MediaTypeAudio && !m.IsBackChannel && len(m.Formats) > 0 {
			return m.Formats[0].Codec()
		}
	}
	return ""
}

// Video reports whether there is video among the inputs.
func (r *Reader) Video() bool { return r.formats[0].Media.Type == description.MediaTypeVideo }

// Packet takes a packet of input i that arrived at now. Its errors are for counting: the
// next packet may be good.
func (r *Reader) Packet(i int, pkt *pion.Packet, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pkt.MarshalSize()-len(pkt.Payload) > 256 {
		pkt.Payload = bytes.Clone(pkt.Payload) // the decoder keeps the payload: not the whole packet with it
	}
	if r.began.IsZero() {
		r.began = now
	}
	t := &r.times[i]
	if !t.started {
		t.start(pkt.Timestamp, lead+now.Sub(r.began))
		r.align()
	}
	frames, err := r.inputs[i].frames(pkt)
	for _, f := range frames {
		r.write(i, f, now)
	}
	if err != nil {
		return fmt.Errorf("RTP payload: %w", err)
	}
	return nil
}

func (r *Reader) write(i int, f frame, now time.Time) {
	pts := r.times[i].at(f.ts)
	if f.config || !r.known {
		r.configure()
	}
	if !r.known || len(f.data) == 0 {
		return
	}
	au := media.AccessUnit{Track: i, PTS: pts, DTS: pts, Key: f.key, Disposable: f.disposable, Data: f.data, Arrived: now}
	if i == 0 && r.Video() {
		au.DTS = r.order.dts(pts)
	}
	r.sink.Write(au)
}

// configure passes the tracks to the sink, once all are known.
func (r *Reader) configure() {
	tracks := make(media.Tracks, 0, len(r.inputs))
	for _, in := range r.inputs {
		track, _, known := in.current()
		if !known {
			return
		}
		tracks = append(tracks, track)
	}
	if v := tracks.Video(); v >= 0 {
		_, depth, _ := r.inputs[v].current()
		r.order.configure(depth, tracks[v].FrameRate)
	}
	r.known = true
	r.sink.SetTracks(tracks)
}

// SenderReport takes an RTCP sender report of input i that arrived at now.
func (r *Reader) SenderReport(i int, sr *rtcp.SenderReport, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var other *timeline
	if len(r.times) == 2 {
		other = &r.times[1-i]
	}
	r.reports.take(&r.times[i], other, sr, now)
	r.align()
}

// RTPInfo takes the RTP timestamp at which input i starts to play, from a server's
// RTP-Info (RFC 2326, 12.33): those of all inputs belong to the same moment. Until the
// first sender reports, which may take ten seconds, only this aligns audio and video.
func (r *Reader) RTPInfo(i int, timestamp uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports.begin(&r.times[i], timestamp)
	r.align()
}

// align moves the audio to the video.
func (r *Reader) align() {
	if len(r.times) != 2 {
		return
	}
	if off := r.reports.offset(&r.times[0], &r.times[1]); off != 0 {
		r.times[1].origin += off
		r.sink.Aligned()
	}
}

// AnnounceTracks passes the tracks to the sink now if the session description contained
// all of them, so that viewers need not wait for the first packet.
func (r *Reader) AnnounceTracks() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.known {
		r.configure()
	}
}
