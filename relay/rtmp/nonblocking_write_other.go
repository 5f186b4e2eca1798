//go:build !linux

package rtmp

import "net"

// nonblockingWriter is a write that does not wait. Where the system has none each
// destination writes on its own goroutine.
type nonblockingWriter struct{}

func (l *serverConn) prepareNonblocking() bool { return false }

func (p *nonblockingWriter) write(*serverConn, net.Buffers) (int64, error) {
	panic("prepareNonblocking returned false")
}

func (l *serverConn) setZeroCopy(*zeroCopyBuffer) {}

func (l *serverConn) hasRest() bool { return false }

func (l *serverConn) writeRest() error { return nil }

// zeroCopyBuffer is what sockets send from without a copy, on Linux only.
type zeroCopyBuffer struct{}

func newZeroCopyBuffer() *zeroCopyBuffer { return nil }

func (p *zeroCopyBuffer) store([]byte) {}

func (p *zeroCopyBuffer) close() {}
