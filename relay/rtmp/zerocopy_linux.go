package rtmp

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// zeroCopyBuffer is memory that sockets send from without a copy of their own: an
// anonymous file, whose pages the system keeps until the last receiver has acknowledged
// them. With many destinations that copy is a third of the cost of a merged write.
type zeroCopyBuffer struct {
	fd     int
	bytes  []byte // its content, as we have it ourselves; nil for nothing
	offset int64
}

// newZeroCopyBuffer is nil where the system has none.
func newZeroCopyBuffer() *zeroCopyBuffer {
	fd, err := unix.MemfdCreate("obvan-batch", unix.MFD_CLOEXEC)
	if err != nil {
		return nil
	}
	return &zeroCopyBuffer{fd: fd}
}

// store replaces the content by b. Data in flight stays as it was: the pages of before are
// released and never written again.
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

// holds reports whether it holds exactly this part of a write.
func (p *zeroCopyBuffer) holds(part []byte) bool {
	return p != nil && len(part) > 0 && len(p.bytes) == len(part) && &p.bytes[0] == &part[0]
}

// send writes the content to a socket as far as there is room. Where the system can't, the
// content is dropped, and that is no error.
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
