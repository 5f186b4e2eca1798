package testserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/yutopp/go-rtmp/handshake"

	"obvan/media"
	"obvan/media/amf0"
	"obvan/media/flv"
	"obvan/media/rtmp"
)

// Unit is what arrived: a video or audio frame, with its track.
type Unit struct {
	Video   bool
	Key     bool
	PTS     time.Duration
	DTS     time.Duration
	Data    []byte
	Track   *media.Track // in force when it arrived
	Arrived time.Time
}

// Session is one publisher's.
type Session struct {
	App string
	Key string

	mu          sync.Mutex
	units       []Unit
	counts      Counts
	unpublished bool
	ended       bool
}

// Counts is a session's counters.
type Counts struct {
	Frames, Keyframes, AudioFrames int
	Bytes                          uint64 // of units
	Reversals                      int    // how often decode time decreased within a track
	LongestGap                     time.Duration
	Metadata                       int
	Configs                        int
	video, audio                   time.Duration
}

// Units is what arrived so far.
func (s *Session) Units() []Unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Unit(nil), s.units...)
}

// Counts is the counters so far.
func (s *Session) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Unpublished reports whether the publisher ended properly: with FCUnpublish and
// deleteStream.
func (s *Session) Unpublished() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unpublished
}

// Ended reports whether the connection is closed.
func (s *Session) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// peer is one connection.
type peer struct {
	server  *Server
	conn    net.Conn
	r       *rtmp.Reader
	w       *rtmp.Writer
	how     Behaviour
	session *Session
	app     string

	flv          flv.Reader
	clock        rtmp.Unwrap
	video, audio *media.Track
	unpublishes  int
}

var errDone = errors.New("done")

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	hs := &flushOnRead{conn, bufio.NewWriter(conn)}
	if handshake.HandshakeWithClient(hs, hs.w, &handshake.Config{SkipHandshakeVerification: true}) != nil {
		return
	}
	_ = hs.w.Flush()
	_ = conn.SetDeadline(time.Time{})
	p := &peer{server: s, conn: conn, w: rtmp.NewWriter(conn)}
	p.r = rtmp.NewReader(&throttle{p: p, ctx: ctx})
	for {
		m, err := p.r.Read()
		if err == nil {
			err = p.take(&m)
		}
		if err != nil {
			break
		}
	}
	if p.session != nil {
		p.session.mu.Lock()
		p.session.ended = true
		p.session.mu.Unlock()
	}
}

// flushOnRead sends what the handshake wrote as soon as an answer is waited for.
type flushOnRead struct {
	conn net.Conn
	w    *bufio.Writer
}

func (p *flushOnRead) Read(b []byte) (int, error) {
	if err := p.w.Flush(); err != nil {
		return 0, err
	}
	return p.conn.Read(b)
}

// take handles one message.
func (p *peer) take(m *rtmp.Message) error {
	if seq, due := p.r.AckDue(); due && !p.how.NoAcks {
		p.w.Control(rtmp.TypeAck, seq)
		if err := p.flush(); err != nil {
			return err
		}
	}
	switch m.Type {
	case rtmp.TypeUserControl:
		event, v, ok := m.Event()
		switch {
		case !ok || event != rtmp.EventPingRequest || p.how.OnPing == IgnorePings:
		case p.how.OnPing == CloseOnPing:
			return errDone
		default:
			p.w.Event(rtmp.EventPingResponse, v)
			return p.flush()
		}
	case rtmp.TypeCommand:
		values, err := amf0.Decode(m.Payload)
		if err != nil {
			return err
		}
		return p.command(values)
	case rtmp.TypeData:
		p.session.count(func(t *Counts) { t.Metadata++ })
	case rtmp.TypeVideo:
		packet, err := p.flv.Video(p.clock.Time(m.Timestamp), m.Payload)
		if err != nil {
			return err
		}
		p.record(packet, true)
	case rtmp.TypeAudio:
		packet, err := p.flv.Audio(p.clock.Time(m.Timestamp), m.Payload)
		if err != nil {
			return err
		}
		p.record(packet, false)
	}
	return nil
}

func (p *peer) flush() error {
	_ = p.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err := p.w.Flush()
	return err
}

func (s *Session) count(do func(t *Counts)) {
	s.mu.Lock()
	do(&s.counts)
	s.mu.Unlock()
}

func (p *peer) record(packet flv.Packet, video bool) {
	track := &p.audio
	if video {
		track = &p.video
	}
	if packet.Config != nil {
		*track = packet.Config
		p.session.count(func(t *Counts) { t.Configs++ })
	}
	if au := packet.Unit; len(au.Data) > 0 {
		p.session.record(Unit{video, au.Key, au.PTS, au.DTS, au.Data, *track, time.Now()}, p.how)
	}
}

// command answers one.
func (p *peer) command(values []any) error {
	if len(values) < 2 {
		return errDone
	}
	name, _ := values[0].(string)
	tx, _ := values[1].(float64)
	var third any
	if len(values) > 3 {
		third = values[3]
	}
	switch name {
	case "connect":
		about, _ := values[len(values)-1].(amf0.Object)
		if len(values) > 2 {
			about, _ = values[2].(amf0.Object)
		}
		p.app = about.String("app")
		p.w.Control(rtmp.TypeWindowAck, 2_500_000)
		p.w.Control(rtmp.TypePeerBandwidth, 2_500_000)
		p.w.SetChunkSize(rtmp.ChunkSize)
		p.w.Command(0, "_result", tx, nil, status("status", "NetConnection.Connect.Success", "Connection succeeded."))
	case "createStream":
		p.w.Command(0, "_result", tx, nil, 1.0)
	case "publish":
		key, _ := third.(string)
		return p.publish(key)
	case "FCUnpublish":
		p.unpublishes++
	case "deleteStream":
		if p.unpublishes > 0 && p.session != nil {
			p.session.mu.Lock()
			p.session.unpublished = true
			p.session.mu.Unlock()
		}
		return errDone
	}
	return p.flush()
}

func status(level, code, words string) amf0.Object {
	return amf0.Object{{Name: "level", Value: level}, {Name: "code", Value: code}, {Name: "description", Value: words}}
}

func (p *peer) publish(key string) error {
	p.session = &Session{App: p.app, Key: key}
	p.how = p.server.Add(p.session)
	if p.how.Buffer > 0 {
		if tcp := tcpOf(p.conn); tcp != nil {
			_ = tcp.SetReadBuffer(p.how.Buffer)
		}
	}
	switch {
	case p.how.NoAnswer:
		return nil
	case p.how.CloseFirst:
		return errDone
	case p.how.Refuse != "":
		p.w.Command(1, "onStatus", 0, nil, status("error", "NetStream.Publish.BadName", p.how.Refuse))
		_ = p.flush()
		return errDone
	}
	p.r.Media(true)
	p.w.Command(1, "onStatus", 0, nil, status("status", "NetStream.Publish.Start", "Publishing."))
	if err := p.flush(); err != nil {
		return err
	}
	if after := p.how.CloseAfter; after > 0 {
		time.AfterFunc(after, p.close)
	}
	if p.how.Discard {
		return p.discard()
	}
	return nil
}

// discard reads until the publisher leaves, acknowledges like a real server, and as often
// sends a ping response, like one that is pinged.
func (p *peer) discard() error {
	const every = 512 << 10 // about what is requested at 6 Mbit/s
	buf := make([]byte, every)
	for total, acked := 0, 0; ; {
		n, err := p.conn.Read(buf)
		if err != nil {
			return err
		}
		total += n
		p.session.count(func(t *Counts) { t.Bytes += uint64(n) })
		if total-acked >= every && !p.how.NoAcks {
			acked = total
			p.w.Control(rtmp.TypeAck, uint32(total))
			if err := p.flush(); err != nil {
				return err
			}
			if p.how.OnPing != AnswerPings {
				continue
			}
			p.w.Event(rtmp.EventPingResponse, 0)
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
}

func (p *peer) close() {
	if tcp := tcpOf(p.conn); tcp != nil && p.how.Reset {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
	_ = p.conn.Close()
}

func tcpOf(c net.Conn) *net.TCPConn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	tcp, _ := c.(*net.TCPConn)
	return tcp
}

// throttle reads as slowly as the behaviour requires, or not at all.
type throttle struct {
	p        *peer
	ctx      context.Context
	since    time.Time // publishing was accepted
	received int
}

func (t *throttle) Read(b []byte) (int, error) {
	how := t.p.how
	if t.p.session != nil && (how.Rate > 0 || how.StallAfter > 0) {
		if t.since.IsZero() {
			t.since = time.Now()
		}
		if how.StallAfter > 0 && time.Since(t.since) >= how.StallAfter {
			<-t.ctx.Done()
			return 0, io.EOF
		}
		if how.Rate > 0 {
			b = b[:min(len(b), max(1, how.Rate/20))]
			if ahead := time.Duration(float64(t.received)/float64(how.Rate)*float64(time.Second)) - time.Since(t.since); ahead > 0 {
				select {
				case <-time.After(ahead):
				case <-t.ctx.Done():
					return 0, io.EOF
				}
			}
		}
	}
	n, err := t.p.conn.Read(b)
	if !t.since.IsZero() {
		t.received += n
	}
	return n, err
}
