//go:build !linux

package rtmp

import "net"

// nonblockingWriter is a write that does not wait. Here there is none: each destination
// writes its own.
type nonblockingWriter struct{}

func (l *serverConn) prepareNonblocking() bool { return false }

func (p *nonblockingWriter) write(*serverConn, net.Buffers) (int64, error) {
	panic("prepareNonblocking said no")
}

func (l *serverConn) setZeroCopy(*zeroCopyBuffer) {}

func (l *serverConn) hasRest() bool { return false }

func (l *serverConn) writeRest() error { return nil }

// zeroCopyBuffer is memory that sockets send from without a copy. Here there is none.
type zeroCopyBuffer struct{}

func newZeroCopyBuffer() *zeroCopyBuffer { return nil }

func (p *zeroCopyBuffer) store([]byte) {}

func (p *zeroCopyBuffer) close() {}
