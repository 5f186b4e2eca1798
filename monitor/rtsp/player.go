package rtsp

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/pion/rtcp"

	"obvan/hub"
	"obvan/internal/listen"
	"obvan/media"
	"obvan/media/rtp"
)

const (
	maxLag         = time.Second     // behind the newest unit by more: skip to the next keyframe
	reportInterval = 5 * time.Second // sender reports
	burstLength    = 100 * time.Millisecond
	burstStep      = time.Millisecond // between compressed frames, at most
	udpBurst       = 10               // packets of the first frames sent back to back over UDP, then a pause
	udpPause       = time.Millisecond
	fullPause      = 5 * time.Millisecond
)

// player is one reader. It has a library stream (out) of its own, so that each reader
// starts at a keyframe and a slow one delays no other.
type player struct {
	server *Server
	peer
	lifecycle
	out *gortsplib.ServerStream
	sub *hub.Subscriber

	writer  *rtp.Writer
	tracks  *media.Tracks    // those that writer describes, or newer ones that fit its description
	reports []*senderReports // by track

	queued, delivered uint64 // packets: handed to the library, and sent by it
	lost              uint64 // units that sub skipped, as counted so far
	burst             burstTiming
}

// peer is who reads which stream.
type peer struct {
	lib    *gortsplib.ServerSession
	conn   *listen.Conn
	stream string
	remote string
	udp    bool
}

// lifecycle is how far a session has come.
type lifecycle struct {
	ctx           context.Context
	cancel        context.CancelFunc
	playRequested bool // PLAY was answered
	started       bool
	done          chan struct{} // closed at the end of run
}

func (s *Server) newPlayer(ctx *gortsplib.ServerHandlerOnSetupCtx, stream string, tracks *media.Tracks) (*player, error) {
	writer, err := rtp.NewWriter(tracks)
	if err != nil {
		return nil, err
	}
	p := &player{
		server: s, writer: writer, tracks: tracks, lifecycle: lifecycle{done: make(chan struct{})},
		peer: peer{ctx.Session, listen.ConnOf(ctx.Conn.NetConn()), stream, ctx.Conn.NetConn().RemoteAddr().String(), ctx.Transport == gortsplib.TransportUDP},
	}
	p.out = &gortsplib.ServerStream{Server: s.lib, Desc: writer.Description()}
	if err := p.out.Initialize(); err != nil {
		return nil, err
	}
	p.reports = newSenderReports(p.out, writer, len(*tracks))
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// close ends the reader, after the library has ended its session.
func (p *player) close() {
	p.cancel()
	if p.started {
		<-p.done
	}
	p.out.Close()
	if p.conn != nil {
		p.conn.Unadmit()
	}
}

// run sends the stream until the reader or the publisher leaves.
func (p *player) run() {
	defer close(p.done)
	defer p.lib.Close()
	sub, err := p.server.hub.Subscribe(p.stream)
	if err != nil {
		return
	}
	defer sub.Close()
	p.sub = sub
	log := p.server.log.With("stream", p.stream, "proto", "rtsp", "remote", p.remote)
	log.Info("reader connected")
	err = p.play()
	switch {
	case p.ctx.Err() != nil, errors.Is(err, io.EOF):
		err = nil
	}
	log.Info("reader disconnected", "lost", sub.Lost(), "err", err)
}

func (p *player) play() error {
	if err := p.sendBurst(); err != nil {
		return err
	}
	for {
		au, err := p.sub.Next(p.ctx)
		if err != nil {
			return err
		}
		if p.sub.Latency() > maxLag && p.sub.SkipToKeyframe() > 0 {
			p.countLost()
			continue
		}
		p.countLost()
		if err := p.send(au, false); err != nil {
			return err
		}
	}
}

// countLost adds the units that the hub skipped for this reader.
func (p *player) countLost() {
	if lost := p.sub.Lost(); lost > p.lost {
		p.server.skipped.Add(lost - p.lost)
		p.lost = lost
	}
}

// sendBurst sends everything since the newest keyframe. Its audio is left out, except for
// the short span that the frames are compressed into.
func (p *player) sendBurst() error {
	var units []media.AccessUnit
	for {
		au, err := p.sub.TryNext()
		if errors.Is(err, hub.ErrNotYet) {
			break
		}
		if err != nil {
			return err
		}
		units = append(units, au)
	}
	p.burst = compressGOP(units)
	for _, au := range units {
		if !au.Video() && au.PTS < p.burst.start() {
			continue
		}
		if err := p.send(au, true); err != nil {
			return err
		}
	}
	return nil
}

var errTracks = errors.New("the tracks of the stream changed")

func (p *player) send(au media.AccessUnit, burst bool) error {
	if au.Tracks != p.tracks {
		if !p.writer.Fits(p.tracks, au.Tracks) {
			return errTracks // the description no longer fits: the reader has to send DESCRIBE again
		}
		p.tracks = au.Tracks
	}
	packetiser, m := p.writer.Track(au.Track), p.writer.Media(au.Track)
	if m == nil {
		return nil
	}
	if au.Video() {
		au.PTS = p.burst.compress(au.PTS)
	}
	pkts, err := packetiser.Packets(&au)
	if err != nil {
		p.server.broken.Add(1)
		return nil
	}
	report := p.reports[au.Track]
	if sr := report.due(time.Now(), &au, packetiser.Timestamp(&au)); sr != nil {
		_ = p.out.WritePacketRTCP(m, sr)
	}
	for i, pkt := range pkts {
		if err := p.waitForRoom(); err != nil {
			return err
		}
		report.count(len(pkt.Payload))
		if err := p.out.WritePacketRTP(m, pkt); err != nil {
			return err
		}
		p.queued++
		if burst && p.udp && i%udpBurst == udpBurst-1 {
			if err := p.pause(udpPause); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitForRoom waits until the library's queue has room: it drops packets that do not fit.
// Meanwhile the stream goes on, and this reader's lag grows.
func (p *player) waitForRoom() error {
	for p.queued-p.delivered >= queueSize-32 {
		if p.delivered = p.deliveredByNow(); p.queued-p.delivered < queueSize-32 {
			break
		}
		if err := p.pause(fullPause); err != nil {
			return err
		}
	}
	return nil
}

// deliveredByNow is how many packets were sent to the reader. Those of tracks that it did
// not set up count as sent.
func (p *player) deliveredByNow() (n uint64) {
	stats := p.lib.Stats()
	n = p.queued
	var out, in uint64
	for m := range stats.Medias {
		for _, f := range stats.Medias[m].Formats {
			out += f.RTPPacketsSent
		}
		for i := range p.reports {
			if p.writer.Media(i) == m {
				in += uint64(p.reports[i].packets)
			}
		}
	}
	return n - (in - min(in, out))
}

func (p *player) pause(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// burstTiming compresses the timestamps of the frames up to live into the short span before
// it, in their order.
type burstTiming struct {
	live  time.Duration
	ratio float64
	span  time.Duration
}

func compressGOP(units []media.AccessUnit) burstTiming {
	var q burstTiming
	var first time.Duration
	n := 0
	for i := range units {
		if !units[i].Video() {
			continue
		}
		if n == 0 {
			first, q.live = units[i].PTS, units[i].PTS
		}
		first, q.live = min(first, units[i].PTS), max(q.live, units[i].PTS)
		n++
	}
	long := q.live - first
	q.ratio, q.span = 1, min(long, burstLength, time.Duration(n)*burstStep)
	if long > 0 {
		q.ratio = float64(q.span) / float64(long)
	}
	return q
}

func (q *burstTiming) start() time.Duration { return q.live - q.span }

func (q *burstTiming) compress(pts time.Duration) time.Duration {
	if pts >= q.live {
		return pts
	}
	return q.live - time.Duration(float64(q.live-pts)*q.ratio)
}

// senderReports makes one track's sender reports (RFC 3550, 6.4.1). All tracks of a reader
// relate the stream's time to the same clock, so that it can play audio and video in sync.
// The library's own reports carry nanoseconds where a fraction of 2^32 belongs; readers
// that trust them are out of sync by up to 0.8 s.
type senderReports struct {
	ssrc            uint32
	zero            *time.Time // the wall clock at the stream's time 0, shared by the tracks
	next            time.Time
	packets, octets uint32
}

func newSenderReports(out *gortsplib.ServerStream, w *rtp.Writer, tracks int) []*senderReports {
	stats := out.Stats()
	all := make([]*senderReports, tracks)
	zero := new(time.Time)
	for i := range all {
		all[i] = &senderReports{zero: zero}
		if m := w.Media(i); m != nil {
			all[i].ssrc = stats.Medias[m].Formats[m.Formats[0]].LocalSSRC
		}
	}
	return all
}

// due is the report to send before a unit; nil when none is due.
func (r *senderReports) due(now time.Time, au *media.AccessUnit, ts uint32) rtcp.Packet {
	if now.Before(r.next) {
		return nil
	}
	r.next = now.Add(reportInterval)
	if r.zero.IsZero() {
		*r.zero = now.Add(-au.PTS)
	}
	return &rtcp.SenderReport{SSRC: r.ssrc, NTPTime: rtp.NTP(r.zero.Add(au.PTS)), RTPTime: ts, PacketCount: r.packets, OctetCount: r.octets}
}

func (r *senderReports) count(size int) {
	r.packets++
	r.octets += uint32(size)
}
