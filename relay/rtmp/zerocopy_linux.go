package rtmp

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pages is memory that sockets send from without a copy of their own: a file that is
// nowhere, whose pages the system keeps until the last far end has acknowledged them.
// With many destinations that copy is a third of the cost of a merged write.
type zeroCopyBuffer struct {
	fd     int
	bytes  []byte // what they hold, as we have it ourselves; nil for nothing
	offset int64
}

// newPages is nil where the system has none.
func newZeroCopyBuffer() *zeroCopyBuffer {
	fd, err := unix.MemfdCreate("obvan-round", unix.MFD_CLOEXEC)
	if err != nil {
		return nil
	}
	return &zeroCopyBuffer{fd: fd}
}

// put has them hold b. What is under way stays as it was: the pages of before are let go
// of and never written again.
func (p *zeroCopyBuffer) store(b []byte) {
	if p == nil {
		return
	}
	p.bytes = nil
	if err := unix.Ftruncate(p.fd, 0); err != nil {
		return
	}
	if n, err := unix.Pwrite(p.fd, b, 0); err == nil && n == len(b) {
		p.bytes = b
	}
}

// hold reports whether they hold just this part of a write.
func (p *zeroCopyBuffer) holds(part []byte) bool {
	return p != nil && len(part) > 0 && len(p.bytes) == len(part) && &p.bytes[0] == &part[0]
}

// send writes what they hold to a socket as far as there is room. Where the system
// can't, they hold nothing afterwards, and it is no error.
func (p *zeroCopyBuffer) send(fd uintptr) (n int, err syscall.Errno) {
	for {
		p.offset = 0
		m, _, err := unix.RawSyscall6(unix.SYS_SENDFILE, fd, uintptr(p.fd), uintptr(unsafe.Pointer(&p.offset)), uintptr(len(p.bytes)), 0, 0)
		switch {
		case err == unix.EINTR:
		case err == unix.EINVAL || err == unix.ENOSYS || err == 0 && m == 0:
			p.bytes = nil
			return 0, 0
		case err != 0:
			return 0, err
		default:
			return int(m), 0
		}
	}
}

func (p *zeroCopyBuffer) close() {
	if p != nil {
		_ = unix.Close(p.fd)
	}
}
