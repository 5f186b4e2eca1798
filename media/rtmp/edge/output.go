package edge

import (
	"net"
	"sync"
	"time"

	"obvan/media/rtmp"
)

// Out is the writing side of a connection, shared by the command exchange and a player.
// Its mutex is held during a write: messages must be sent one after the other, and a
// goroutine that waits for it waits for its own connection only.
type Out struct {
	c      *conn
	mu     sync.Mutex
	w      *rtmp.Writer
	player Player // accepted; it starts after Play.Start
	stream uint32 // the message stream it plays on
}

// Stream is the message stream for a player's media.
func (o *Out) Stream() uint32 { return o.stream }

// Begin locks the connection for a batch of messages.
func (o *Out) Begin() *rtmp.Writer {
	o.mu.Lock()
	return o.w
}

// End writes the batch and unlocks the connection. After an error the connection is
// closed.
func (o *Out) End() error {
	defer o.mu.Unlock()
	timeout := writeTimeout
	if o.c.ctx.Err() != nil {
		timeout = lingerTime
	}
	o.c.net.SetWriteDeadline(time.Now().Add(timeout))
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

// takePlayer returns the player to start now, or nil; the caller holds o.mu.
func (o *Out) takePlayer() Player {
	p := o.player
	o.player = nil
	return p
}

// play runs a player, then notifies the client that the stream has ended.
func (c *conn) play(p Player, stream uint32) {
	c.net.SetReadDeadline(time.Time{}) // players send nothing; writes show whether they are alive
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		// What is buffered in the kernel can't be skipped any more when the player is slow.
		tcp.SetWriteBuffer(playBuffer)
	}
	err := p(c.ctx, &c.out)
	if err != nil && c.ctx.Err() == nil {
		c.server.opts.Log.Info("player disconnected", "proto", "rtmp", "remote", c.remote, "err", err)
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
	c.net.SetReadDeadline(time.Now().Add(lingerTime)) // ends the reading side, and with it the connection
}
