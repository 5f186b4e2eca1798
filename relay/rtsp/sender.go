package rtsp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"obvan/hub"
	"obvan/internal/sock"
	"obvan/media"
	"obvan/media/rtp"
	"obvan/relay"
)

const (
	reportEvery     = 5 * time.Second // RFC 3550, 6.2
	teardownTimeout = 1500 * time.Millisecond

	// drainProof is how long a server must have taken data, and kept the connection, to count
	// as live: RTSP acknowledges nothing.
	drainProof = time.Second

	batch = 64 << 10 // of one write
)

// errNewCodec ends a session whose description does not match the program's new codec;
// another one is made.
var errNewCodec = errors.New("the program's codec changed: reconnecting")

// sender writes the program to a session.
type sender struct {
	*connection
	out     *rtp.Writer
	sub     *hub.Subscriber
	link    *relay.Link
	pending *media.AccessUnit // to be sent first
	tracks  *media.Tracks

	dropper  relay.FrameDropper
	accepted time.Time
	base     time.Duration // decode time of the first unit
	reports  []report      // by track
	buf      []byte

	latency atomic.Int64
}

// report is what sender reports say to a receiver, so that it keeps audio and video in
// sync.
type report struct {
	packets, octets uint32
	sent            time.Time // when the last one was sent
}

func newSender(c *connection, out *rtp.Writer, sub *hub.Subscriber, o *Output, start *media.AccessUnit) *sender {
	tracks := start.Tracks
	if sub.SkipToKeyframe() > 0 { // the position became old while connecting
		start = nil
	}
	s := &sender{connection: c, out: out, sub: sub, link: c.conn.link, pending: start, tracks: tracks, accepted: time.Now(), base: -1}
	s.dropper.Limit, s.reports = o.Backlog, make([]report, len(*tracks))
	return s
}

// run sends until ctx is done or the program ends (nil), or the server fails.
func (s *sender) run(ctx context.Context) error {
	within, lost := context.WithCancel(ctx)
	defer lost()
	var remoteErr error
	closed := make(chan struct{})
	go func() {
		remoteErr = s.client.Wait()
		lost()
		s.conn.finishBy(time.Now()) // a write under way may be blocked
		close(closed)
	}()
	// A write under way ends early enough for the TEARDOWN.
	defer context.AfterFunc(ctx, func() {
		if relay.Abandoned(ctx) {
			s.conn.finishBy(time.Now())
		}
		s.conn.finishBy(time.Now().Add(teardownTimeout / 2))
	})()
	err := relay.Drain(within, s.sub, s.next, s.take)
	ended := within.Err() != nil && ctx.Err() == nil // by the server
	if err != nil && !errors.Is(err, errNewCodec) {
		s.conn.finishBy(time.Now()) // it takes no TEARDOWN either
	}
	s.client.Close() // with a TEARDOWN
	<-closed
	switch {
	case ctx.Err() != nil:
		return nil
	case ended && !errors.Is(err, relay.ErrStalled):
		return fmt.Errorf("the server ended the session: %w", remoteErr)
	}
	return err
}

// next is the next unit.
func (s *sender) next() (au media.AccessUnit, err error) {
	if s.pending != nil {
		au, s.pending = *s.pending, nil
		return au, nil
	}
	return s.sub.TryNext()
}

// take sends one unit, or notes that all were sent.
func (s *sender) take(au *media.AccessUnit, now time.Time) error {
	if au == nil {
		s.dropper.CaughtUp(now)
		s.latency.Store(0)
		s.prove(now)
		return nil
	}
	return s.send(au, now)
}

// send writes one unit, unless it is dropped.
func (s *sender) send(au *media.AccessUnit, now time.Time) error {
	if au.Tracks != s.tracks {
		if !s.out.Fits(s.tracks, au.Tracks) {
			s.pending = au
			return errNewCodec
		}
		s.tracks = au.Tracks
	}
	if s.base < 0 {
		if !au.Key || !au.Video() && s.tracks.Video() >= 0 {
			return nil // a session starts with a keyframe
		}
		s.base = au.DTS
		s.dropper.Start(au.DTS, now)
	}
	p := s.out.Track(au.Track)
	if p == nil || au.DTS < s.base {
		return nil // audio from before the first video frame, or a track that can't be sent
	}
	age := s.dropper.Age(au.DTS, now)
	s.latency.Store(int64(age))
	if !s.dropper.ShouldSend(au, age) {
		if au.Video() {
			s.link.Dropped.Add(1)
		}
		return nil
	}
	defer s.prove(now) // one that is slow from the start never has everything
	return s.write(au, p, now)
}

// write sends a unit's packets, in as few writes as is reasonable.
func (s *sender) write(au *media.AccessUnit, p *rtp.Packetiser, now time.Time) error {
	packets, err := p.Packets(au)
	if err != nil || len(packets) == 0 {
		return nil //nolint:nilerr // a broken unit: the next may be good
	}
	r, channel := &s.reports[au.Track], s.channels[s.media(au.Track)]
	s.buf = s.buf[:0]
	if now.Sub(r.sent) >= reportEvery {
		r.sent = now
		sr := rtcp.SenderReport{
			SSRC: packets[0].SSRC, NTPTime: rtp.NTP(s.accepted.Add(au.PTS - s.base)), RTPTime: packets[0].Timestamp,
			PacketCount: r.packets, OctetCount: r.octets,
		}
		if b, err := sr.Marshal(); err == nil {
			s.frame(channel+1, len(b))
			s.buf = append(s.buf, b...)
		}
	}
	for _, pkt := range packets {
		size := pkt.MarshalSize()
		s.frame(channel, size)
		at := len(s.buf)
		s.buf = append(s.buf, make([]byte, size)...)
		if _, err := pkt.MarshalTo(s.buf[at:]); err != nil {
			return fmt.Errorf("RTP: %w", err)
		}
		r.packets++
		r.octets += uint32(len(pkt.Payload))
		if len(s.buf) >= batch {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return s.flush()
}

// frame adds the header of a packet on a TCP connection (RFC 2326, 10.12).
func (s *sender) frame(channel, size int) {
	s.buf = append(s.buf, '$', byte(channel))
	s.buf = binary.BigEndian.AppendUint16(s.buf, uint16(size))
}

func (s *sender) flush() error {
	_, err := s.sharedConn.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

// media is the index of a track's media in the description.
func (s *sender) media(track int) int {
	for i, m := range s.out.Description().Medias {
		if m == s.out.Media(track) {
			return i
		}
	}
	return 0
}

// prove reports live once the server has taken data for a while.
func (s *sender) prove(now time.Time) {
	if s.link.IsLive() || s.base < 0 || now.Sub(s.accepted) < drainProof {
		return
	}
	if unsent, _, ok := sock.Inspect(s.conn.TCPConn); !ok || s.link.Sent.Load() > uint64(unsent) {
		s.link.Live()
	}
}

// measure brings the link's counters up to date, from the supervisor's goroutine.
func (s *sender) measure() {
	unsent, rtt, ok := sock.Inspect(s.conn.TCPConn)
	if !ok && s.conn.writing.Load() {
		unsent = 1 // something is waiting: no more is known
	}
	s.link.Unsent.Store(int64(unsent))
	s.link.RTT.Store(int64(rtt))
	s.link.Acked.Store(s.link.Sent.Load() - min(s.link.Sent.Load(), uint64(unsent)))
	s.link.Latency.Store(s.latency.Load())
}
