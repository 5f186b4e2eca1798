package rtmp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/yutopp/go-rtmp/handshake"

	"obvan/media"
	"obvan/media/amf0"
	chunks "obvan/media/rtmp"
	"obvan/relay"
)

const (
	handshakeTimeout    = 5 * time.Second
	answerTimeout       = 10 * time.Second // servers check the key in a database meanwhile
	maxRepliesToPublish = 200              // before the stream is accepted

	// firstWindow is after how many bytes the server is asked to acknowledge at first; see
	// acks.nextWindow.
	firstWindow = 256 << 10
)

// Transactions of our commands.
const (
	txConnect = 1 + iota
	txRelease
	txFCPublish
	txCreate
	txPublish
	txUnpublish
	txDelete
)

// session is one connection to a server, from the handshake to its end.
type session struct {
	conn         *serverConn
	to           target
	link         *relay.Link
	r            *chunks.Reader
	w            *chunks.Writer // the sender's
	stream       uint32
	acks         acks
	pings        pings
	remoteBuffer remoteBuffer
	drainRate    drainRate
	due          replies
}

func newSession(l *serverConn, to target, link *relay.Link) *session {
	return &session{conn: l, to: to, link: link, pings: pings{zero: time.Now()}}
}

// replies is what the server has to be answered. The reader notes it, the sender sends it.
// One of each kind: a server that asks faster than we write gets the last.
type replies struct {
	mu   sync.Mutex
	ack  uint32
	pong uint32
	acks bool
	ping bool
	wake chan struct{}
}

// establish asks the server to take the stream, up to its acceptance.
func (s *session) establish(tracks *media.Tracks) error {
	s.due.wake = make(chan struct{}, 1)
	s.conn.expectReply(handshakeTimeout)
	if err := plainHandshake(s.conn); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	s.r, s.w = chunks.NewReader(s.conn.reader()), chunks.NewWriter(s.conn.writer())
	if err := s.connect(tracks); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	// From here on as large as possible; not before, some servers can't handle that.
	s.w.SetChunkSize(chunks.ChunkSize)
	s.w.Control(chunks.TypeWindowAck, firstWindow)
	s.w.Command(0, "releaseStream", txRelease, nil, s.to.name)
	s.w.Command(0, "FCPublish", txFCPublish, nil, s.to.name)
	s.w.Command(0, "createStream", txCreate, nil)
	if err := s.await(txCreate, func(_ string, args []any) error {
		id, ok := at(args, 1).(float64)
		if !ok || id < 0 || id > 1<<32-1 {
			return errors.New("the server did not create a stream: it is not an ingest server, or it is faulty")
		}
		s.stream = uint32(id)
		return nil
	}); err != nil {
		return fmt.Errorf("create the stream: %w", err)
	}
	s.w.Command(s.stream, "publish", txPublish, nil, s.to.name, "live")
	if err := s.await(txPublish, nil); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	s.conn.expectReply(0)
	return nil
}

func (s *session) connect(tracks *media.Tracks) error {
	about := amf0.Object{
		{Name: "app", Value: s.to.app},
		{Name: "type", Value: "nonprivate"},
		{Name: "flashVer", Value: "FMLE/3.0 (compatible; obvan)"},
		{Name: "tcUrl", Value: s.to.tcURL},
	}
	if cc := fourCCs(tracks); len(cc) > 0 {
		about = append(about, amf0.Property{Name: "fourCcList", Value: cc})
	}
	s.w.Command(0, "connect", txConnect, about)
	return s.await(txConnect, nil)
}

// fourCCs is what Enhanced RTMP requires to be announced; nothing for H.264 and AAC, whose
// original form every server takes.
func fourCCs(tracks *media.Tracks) (cc []any) {
	if tracks == nil {
		return nil
	}
	for _, t := range *tracks {
		switch t.Codec {
		case media.H265:
			cc = append(cc, "hvc1")
		case media.AV1:
			cc = append(cc, "av01")
		case media.Opus:
			cc = append(cc, "Opus")
		}
	}
	return cc
}

// await sends what was collected and reads until transaction tx is answered, or, for
// publish, until the server reports that it starts.
func (s *session) await(tx float64, take func(name string, args []any) error) error {
	s.conn.expectReply(answerTimeout)
	for range maxRepliesToPublish {
		if err := s.flush(); err != nil {
			return err
		}
		m, err := s.read()
		if err != nil {
			return err
		}
		name, of, args, err := command(m)
		if err != nil {
			return err
		}
		switch {
		case name == "_error" && of == tx:
			return refusal(at(args, 1))
		case name == "_result" && of == tx && tx != txPublish:
			if take == nil {
				return nil
			}
			return take(name, args)
		case name == "onStatus":
			started, err := status(at(args, 1))
			if err != nil || started && tx == txPublish {
				return err
			}
		case name == "close":
			return errClosed
		}
	}
	return errors.New("the server responds but never answers the command: it is not an ingest server, or it is faulty")
}

var errClosed = fmt.Errorf("the server ended the session: %w", io.EOF)

// read is the next message; protocol control requests are noted.
func (s *session) read() (*chunks.Message, error) {
	m, err := s.r.Read()
	if errors.Is(err, chunks.ErrProtocol) {
		err = fmt.Errorf("the server there does not speak RTMP: check the address and the port (%w)", err)
	}
	if err != nil {
		return nil, err
	}
	now := time.Now()
	s.pings.received(now)
	if seq, due := s.r.AckDue(); due {
		s.due.note(func(a *replies) { a.ack, a.acks = seq, true })
	}
	switch m.Type {
	case chunks.TypeAck:
		s.acks.record(m.Uint32())
		s.remoteBuffer.acked(s.acks.acked.Load(), now, time.Duration(s.link.RTT.Load()))
	case chunks.TypeUserControl:
		switch event, v, ok := m.Event(); {
		case ok && event == chunks.EventPingRequest:
			s.due.note(func(a *replies) { a.pong, a.ping = v, true })
		case ok && event == chunks.EventPingResponse:
			s.pings.answered(now)
		}
	}
	return &m, nil
}

func (a *replies) note(do func(*replies)) {
	a.mu.Lock()
	do(a)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// collect adds the replies that are due to the next write.
func (a *replies) collect(w *chunks.Writer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.acks {
		w.Control(chunks.TypeAck, a.ack)
	}
	if a.ping {
		w.Event(chunks.EventPingResponse, a.pong)
	}
	a.acks, a.ping = false, false
}

// flush sends what was collected.
func (s *session) flush() error {
	s.due.collect(s.w)
	s.acks.sent.Add(uint64(s.w.Pending()))
	_, err := s.w.Flush()
	return err
}

// listen reads what the server sends while we send, until the connection ends.
func (s *session) listen() error {
	for {
		m, err := s.read()
		if err != nil {
			return err
		}
		name, _, args, err := command(m)
		if err != nil {
			return err
		}
		switch name {
		case "onStatus":
			if _, err := status(at(args, 1)); err != nil {
				return err
			}
		case "close":
			return errClosed
		}
	}
}

// command parses a command message; the name is "" for all other messages.
func command(m *chunks.Message) (name string, tx float64, args []any, err error) {
	if m.Type != chunks.TypeCommand {
		return "", 0, nil, nil
	}
	values, err := amf0.Decode(m.Payload)
	if err != nil && len(values) < 2 {
		return "", 0, nil, err
	}
	name, _ = at(values, 0).(string)
	tx, _ = at(values, 1).(float64)
	return name, tx, values[min(2, len(values)):], nil
}

func at(values []any, i int) any {
	if i < len(values) {
		return values[i]
	}
	return nil
}

// status classifies an onStatus.
func status(info any) (started bool, err error) {
	about, _ := info.(amf0.Object)
	switch code := about.String("code"); {
	case code == "NetStream.Publish.Start":
		return true, nil
	case code == "NetConnection.Connect.Closed", code == "NetConnection.Connect.AppShutdown", code == "NetStream.Unpublish.Success":
		return false, errClosed
	case about.String("level") == "error", refusals[code]:
		return false, refusal(info)
	}
	return false, nil
}

// refusals are the codes that mean a refusal even from servers that omit the level.
var refusals = map[string]bool{
	"NetStream.Publish.BadName": true, "NetStream.Publish.Denied": true, "NetStream.Publish.Rejected": true,
	"NetStream.Publish.Failed": true, "NetConnection.Connect.Rejected": true, "NetConnection.Connect.Failed": true,
	"NetConnection.Connect.InvalidApp": true,
}

// refusal is the server's refusal in its own words.
func refusal(info any) error {
	about, _ := info.(amf0.Object)
	text := about.String("description")
	if code := about.String("code"); text == "" {
		text = code
	} else if i := strings.LastIndexByte(code, '.'); i >= 0 {
		text += " (" + code[i+1:] + ")"
	}
	return relay.NewRemoteError(relay.ErrRefused, text)
}

// plainHandshake is the plain RTMP handshake; go-rtmp writes it in many small pieces.
func plainHandshake(l *serverConn) error {
	p := &flushOnRead{r: l.reader(), w: bufio.NewWriter(l.writer())}
	if err := handshake.HandshakeWithServer(p, p.w, &handshake.Config{SkipHandshakeVerification: true}); err != nil {
		return err
	}
	return p.w.Flush()
}

// flushOnRead sends what was written as soon as an answer is waited for.
type flushOnRead struct {
	r io.Reader
	w *bufio.Writer
}

func (p *flushOnRead) Read(b []byte) (int, error) {
	if err := p.w.Flush(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}
