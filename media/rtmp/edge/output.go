package edge

import (
	"net"
	"sync"
	"time"

	"obvan/media/rtmp"
)

// Out is the writing side of a connection, shared by the talk and a player. Its
// mutex is held through a write: messages must leave one after the other, and
// who waits for it waits for its own connection only.
type Out struct {
	c      *conn
	mu     sync.Mutex
	w      *rtmp.Writer
	player Player // accepted, to start after Play.Start
	stream uint32 // that it plays on
}

// Stream is the message stream that a player's media goes to.
func (o *Out) Stream() uint32 { return o.stream }

// Begin takes the connection for a batch of messages.
func (o *Out) Begin() *rtmp.Writer {
	o.mu.Lock()
	return o.w
}

// End writes the batch and gives the connection back. After an error the
// connection is closed.
func (o *Out) End() error {
	defer o.mu.Unlock()
	patience := writeTime
	if o.c.ctx.Err() != nil {
		patience = lingerTime
	}
	o.c.net.SetWriteDeadline(time.Now().Add(patience))
	_, err := o.w.Flush()
	if err != nil {
		o.c.raw.Close()
	}
	return err
}

func (o *Out) setPlayer(p Player, stream uint32) {
	o.mu.Lock()
	o.player, o.stream = p, stream
	o.mu.Unlock()
}

// takePlayer is the player to start now; o.mu is held.
func (o *Out) takePlayer() Player {
	p := o.player
	o.player = nil
	return p
}

// play runs a player and says goodbye after it.
func (c *conn) play(p Player, stream uint32) {
	c.net.SetReadDeadline(time.Time{}) // players have nothing to say; writes show whether they live
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		// What waits in the kernel can't be skipped any more when the player is slow.
		tcp.SetWriteBuffer(playBuffer)
	}
	err := p(c.ctx, &c.out)
	if err != nil && c.ctx.Err() == nil {
		c.server.opts.Log.Info("player left", "proto", "rtmp", "remote", c.remote, "err", err)
	}
	c.closing.Store(true)
	w := c.out.Begin()
	w.Event(rtmp.EventStreamEOF, stream)
	w.Command(stream, "onStatus", 0, nil, status("status", "NetStream.Play.UnpublishNotify", "the stream has ended"))
	if c.out.End() == nil {
		if half, ok := c.net.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
	}
	c.net.SetReadDeadline(time.Now().Add(lingerTime)) // ends the reading side, and that ends the rest
}
