package rtmp

import (
	"fmt"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nonblockingWriter is a vectored write that does not wait: what the socket has no room
// for is kept.
type nonblockingWriter struct {
	raw      syscall.RawConn
	try      func(fd uintptr) bool // write, made once so that a write allocates nothing
	zeroCopy *zeroCopyBuffer       // what is sent from there
	parts    net.Buffers           // what is to be written
	iov      []unix.Iovec
	n        int
	err      syscall.Errno
	rest     net.Buffers
}

// prepareNonblocking reports whether the connection can write without waiting.
func (l *serverConn) prepareNonblocking() bool {
	if l.tlsConn != nil {
		return false // a TLS record can't be left half written
	}
	raw, err := l.SyscallConn()
	if err != nil {
		return false
	}
	p := &nonblockingWriter{raw: raw}
	p.try = p.attempt
	l.nonblockingWriter = p
	return true
}

// setZeroCopy has the connection send from p what it holds.
func (l *serverConn) setZeroCopy(p *zeroCopyBuffer) { l.nonblockingWriter.zeroCopy = p }

// maxParts is how many parts a vectored write may have (IOV_MAX).
const maxParts = 1024

// attempt writes until the socket is full. The scheduler is not told of its system calls:
// they never wait, and telling it costs up to half as much as the calls themselves.
func (p *nonblockingWriter) attempt(fd uintptr) bool {
	p.n, p.err = 0, 0
	for rest := p.parts; len(rest) > 0; {
		var n, size int
		if p.zeroCopy.holds(rest[0]) {
			if n, p.err = p.zeroCopy.send(fd); p.zeroCopy.bytes == nil {
				continue // then from our own memory
			}
			size, rest = len(rest[0]), rest[1:]
		} else {
			n, size, p.err = p.vector(fd, rest)
			rest = rest[len(p.iov):]
		}
		if p.n += n; p.err != 0 || n < size {
			break
		}
	}
	clear(p.iov[:cap(p.iov)]) // do not keep the media alive
	return true               // and do not wait for room
}

// vector is one vectored write, up to the part that the zero-copy buffer holds. It is
// unix.Writev without its allocations.
func (p *nonblockingWriter) vector(fd uintptr, parts net.Buffers) (n, size int, err syscall.Errno) {
	p.iov = p.iov[:0]
	for _, part := range parts {
		if len(p.iov) == maxParts || p.zeroCopy.holds(part) {
			break
		}
		iov := unix.Iovec{Base: &part[0]}
		iov.SetLen(len(part))
		p.iov = append(p.iov, iov)
		size += len(part)
	}
	for {
		m, _, err := unix.RawSyscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&p.iov[0])), uintptr(len(p.iov)))
		switch err {
		case unix.EINTR:
		case 0:
			return int(m), size, 0
		default:
			return 0, size, err
		}
	}
}

// write is one try. It reports all of b as written: the rest is the connection's.
func (p *nonblockingWriter) write(l *serverConn, b net.Buffers) (n int64, err error) {
	p.parts = b
	err = p.raw.Write(p.try)
	p.parts = nil
	switch {
	case err != nil:
		return 0, fmt.Errorf("send: %w", err)
	case p.err != 0 && p.err != unix.EAGAIN:
		return 0, fmt.Errorf("send: %w", p.err)
	}
	written := p.n
	l.link.Sent.Add(uint64(written))
	for _, part := range b {
		n += int64(len(part))
		if written >= len(part) {
			written -= len(part)
			continue
		}
		p.rest = append(p.rest, part[written:])
		written = 0
	}
	return n, nil
}

// hasRest reports whether something is left of the last write.
func (l *serverConn) hasRest() bool {
	return l.nonblockingWriter != nil && len(l.nonblockingWriter.rest) > 0
}

// writeRest writes what is left, and waits for it.
func (l *serverConn) writeRest() error {
	if !l.hasRest() {
		return nil
	}
	rest := l.nonblockingWriter.rest
	l.nonblockingWriter.rest = nil
	_, err := l.WriteBuffers(&rest)
	return err
}
