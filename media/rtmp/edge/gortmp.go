package edge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	gortmp "github.com/yutopp/go-rtmp"
	"github.com/yutopp/go-rtmp/message"

	"obvan/media/amf0"
	"obvan/media/rtmp"
)

// bridge is the state of the exchange with go-rtmp.
type bridge struct {
	// Towards go-rtmp; used by the reading side only.
	to             *rtmp.Writer
	toBuf          bytes.Buffer
	app            string
	name           string // of the publish or play command that go-rtmp is handling
	streamsCreated int    // streams

	// From go-rtmp; used by its writing goroutine only.
	handshake     []byte
	handshakeSent bool
	from          *rtmp.Reader
	pipe          pipe
}

// command passes a command on to go-rtmp when it is one of those that matter. It is
// written again with only the values that go-rtmp needs: stream names and keys stay here.
func (c *conn) command(m *rtmp.Message) error {
	args, err := amf0.Decode(m.Payload)
	name, id := "", 0.0
	if len(args) >= 2 {
		name, _ = args[0].(string)
		id, _ = args[1].(float64)
	}
	arg := func(i int) any {
		if i < len(args) {
			return args[i]
		}
		return nil
	}
	if err != nil && name != "connect" {
		return fmt.Errorf("command %.20q: %w", name, err)
	}
	switch name {
	case "connect":
		if about, ok := arg(2).(amf0.Object); ok {
			c.bridge.app = about.String("app")
		} else if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		c.sendToGoRTMP(0, "connect", 1, amf0.Object{{Name: "app", Value: "app"}, {Name: "objectEncoding", Value: 0}})
	case "createStream":
		if c.bridge.streamsCreated++; c.bridge.streamsCreated > maxStreams {
			return errors.New("too many streams")
		}
		c.sendToGoRTMP(0, "createStream", id, nil)
	case "publish", "play":
		if c.busy.Load() {
			return nil
		}
		c.bridge.name, _ = arg(3).(string)
		if name == "publish" {
			c.sendToGoRTMP(m.Stream, "publish", 0, nil, "name", "live")
		} else {
			c.sendToGoRTMP(m.Stream, "play", 0, nil, "name")
		}
	case "FCUnpublish", "deleteStream", "closeStream":
		if c.in.sink != nil {
			c.stopPublishing()
			c.awaitRequest()
		}
	}
	return nil
}

// sendToGoRTMP queues a command for go-rtmp to read.
func (c *conn) sendToGoRTMP(stream uint32, values ...any) {
	if c.bridge.to == nil {
		c.bridge.to = rtmp.NewWriter(&c.bridge.toBuf)
		c.bridge.to.SetChunkSize(rtmp.ChunkSize)
	}
	c.bridge.toBuf.Reset()
	c.bridge.to.Command(stream, values...)
	c.bridge.to.Flush() // to a buffer: it can't fail
	c.in.forGoRTMP = c.bridge.toBuf.Bytes()
}

// Write is called by go-rtmp: with its half of the handshake, then with one chunk per
// call, which is a whole message because its chunk size is larger than its messages.
func (c *conn) Write(p []byte) (int, error) {
	if !c.bridge.handshakeSent {
		c.bridge.handshake = append(c.bridge.handshake, p...)
		if len(c.bridge.handshake) < handshakeAll {
			return len(p), nil
		}
		c.net.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := c.net.Write(c.bridge.handshake) // there is no other writer yet
		c.bridge.handshakeSent, c.bridge.handshake = true, nil
		return len(p), err
	}
	if c.bridge.from == nil {
		c.bridge.from = newReplyReader(&c.bridge.pipe)
	}
	c.bridge.pipe.b = p
	for {
		m, err := c.bridge.from.Read()
		if err == io.EOF {
			return len(p), nil
		}
		if err == nil {
			err = c.fromGoRTMP(&m)
		}
		if err != nil {
			c.raw.Close()
			return 0, err
		}
	}
}

// newReplyReader reads what go-rtmp writes, in chunks of our size.
func newReplyReader(p *pipe) *rtmp.Reader {
	var b bytes.Buffer
	w := rtmp.NewWriter(&b)
	w.SetChunkSize(rtmp.ChunkSize)
	w.Flush()
	p.b = b.Bytes()
	r := rtmp.NewReader(p)
	r.Read() // consumes the chunk size message, then reports io.EOF
	return r
}

// pipe reads the bytes of the current Write.
type pipe struct{ b []byte }

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b)
	p.b = p.b[n:]
	return n, nil
}

// fromGoRTMP forwards a message of go-rtmp to the client.
func (c *conn) fromGoRTMP(m *rtmp.Message) error {
	if c.closing.Load() {
		return nil // our last message has been sent
	}
	h := rtmp.Header{Chunks: rtmp.ChunksCommand, Type: m.Type, Stream: m.Stream}
	switch {
	case m.Type == rtmp.TypeUserControl:
		h.Chunks = rtmp.ChunksControl
	case m.Type != rtmp.TypeCommand:
		return nil // window and bandwidth messages: startReading has sent ours
	case m.Stream != 0:
		h.Chunks = rtmp.ChunksStream
	}
	w := c.out.Begin()
	p := c.out.takePlayer()
	if p != nil { // this is Play.Start
		w.Event(rtmp.EventStreamBegin, m.Stream)
	}
	w.Add(h, m.Payload, nil)
	err := c.out.End()
	if p != nil && err == nil {
		c.players.Go(func() { c.play(p, m.Stream) })
	}
	return err
}

// handler receives go-rtmp's callbacks.
type handler struct {
	gortmp.DefaultHandler
	c *conn
}

// OnPublish is called on the reading goroutine; media is accepted only after it.
func (h *handler) OnPublish(ctx *gortmp.StreamContext, _ uint32, _ *message.NetStreamPublish) error {
	c := h.c
	if c.server.handlers.Publish == nil {
		return c.refuse(ctx.StreamID, Refusal{"NetStream.Publish.Rejected", "this port is for playback only"})
	}
	sink, err := c.server.handlers.Publish(request(c.bridge.app, c.bridge.name, c.remote))
	if err != nil {
		return c.refuse(ctx.StreamID, err)
	}
	c.busy.Store(true)
	c.in.sink = sink
	c.in.r.Media(true)
	return nil
}

// OnPlay only stores the player: Play.Start has yet to be sent.
func (h *handler) OnPlay(ctx *gortmp.StreamContext, _ uint32, _ *message.NetStreamPlay) error {
	c := h.c
	if c.server.handlers.Play == nil {
		return c.refuse(ctx.StreamID, Refusal{"NetStream.Play.Failed", "this port is for publishing only; watch in the panel"})
	}
	p, err := c.server.handlers.Play(request(c.bridge.app, c.bridge.name, c.remote))
	if err != nil {
		return c.refuse(ctx.StreamID, err)
	}
	c.busy.Store(true)
	c.playing.Store(true)
	c.out.setPlayer(p, ctx.StreamID)
	return nil
}

// refuse sends the refusal and ends the connection: the error returned makes go-rtmp
// close it, and fromGoRTMP drops go-rtmp's own message about it.
func (c *conn) refuse(stream uint32, err error) error {
	r := Refusal{Code: "NetStream.Publish.Failed", Message: "internal error; contact the studio"}
	if !errors.As(err, &r) {
		c.server.opts.Log.Error("request failed", "proto", "rtmp", "remote", c.remote, "err", err)
	}
	c.closing.Store(true)
	c.out.Begin().Command(stream, "onStatus", 0, nil, status("error", r.Code, r.Message))
	if err := c.out.End(); err != nil {
		return err
	}
	return r
}

func status(level, code, description string) amf0.Object {
	return amf0.Object{{Name: "level", Value: level}, {Name: "code", Value: code}, {Name: "description", Value: description}}
}
