package rtmp

import (
	"fmt"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prompt is a vectored write that does not wait: what the socket has no room for
// is kept.
type prompt struct {
	raw  syscall.RawConn
	try  func(fd uintptr) bool // write, made once so that a write makes nothing
	iov  []unix.Iovec          // what is to be written
	n    uintptr
	err  syscall.Errno
	rest net.Buffers
}

// prepare says whether the line can write without waiting.
func (l *line) prepare() bool {
	if l.secure != nil {
		return false // a record can't be left half written
	}
	raw, err := l.SyscallConn()
	if err != nil {
		return false
	}
	p := &prompt{raw: raw}
	p.try = p.attempt
	l.now = p
	return true
}

// maxParts is how many parts a vectored write may have (IOV_MAX).
const maxParts = 1024

// attempt is unix.Writev without its allocations. The scheduler is not told of the call:
// it never waits, and being told costs up to half of what the system takes for it.
func (p *prompt) attempt(fd uintptr) bool {
	for {
		p.n, _, p.err = unix.RawSyscall(unix.SYS_WRITEV, fd, uintptr(unsafe.Pointer(&p.iov[0])), uintptr(len(p.iov)))
		if p.err != unix.EINTR {
			return true // and do not wait for room
		}
	}
}

// write is one try. It reports all of b as written: the rest is the line's.
func (p *prompt) write(l *line, b net.Buffers) (n int64, err error) {
	for _, part := range b {
		n += int64(len(part))
		if len(p.iov) < maxParts {
			iov := unix.Iovec{Base: &part[0]}
			iov.SetLen(len(part))
			p.iov = append(p.iov, iov)
		}
	}
	err = p.raw.Write(p.try)
	clear(p.iov) // do not keep the media alive
	p.iov = p.iov[:0]
	written := int(p.n)
	switch {
	case err != nil:
		return 0, fmt.Errorf("send: %w", err)
	case p.err == unix.EAGAIN:
		written = 0
	case p.err != 0:
		return 0, fmt.Errorf("send: %w", p.err)
	}
	l.link.Sent.Add(uint64(written))
	for _, part := range b {
		if written >= len(part) {
			written -= len(part)
			continue
		}
		p.rest = append(p.rest, part[written:])
		written = 0
	}
	return n, nil
}

// full reports whether something is left of the last write.
func (l *line) full() bool { return l.now != nil && len(l.now.rest) > 0 }

// drain writes what is left, and waits for it.
func (l *line) drain() error {
	if !l.full() {
		return nil
	}
	rest := l.now.rest
	l.now.rest = nil
	_, err := l.WriteBuffers(&rest)
	return err
}
