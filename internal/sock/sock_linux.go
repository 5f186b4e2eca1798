package sock

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Limit keeps a backlog out of the kernel: a write waits once so many bytes were not
// even sent. What is sent and not yet acknowledged may be as much as the path holds.
func Limit(c *net.TCPConn, unsent int) { set(c, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent) }

// Narrow makes the receive buffers of the connections that l accepts from now on so
// small: a far end that reads slowly has no store of seconds then.
func Narrow(l *net.TCPListener, bytes int) { set(l, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes) }

// Segment makes what the connections that l accepts from now on get come in pieces of so
// many bytes at most, as it does over a network.
func Segment(l *net.TCPListener, bytes int) { set(l, unix.IPPROTO_TCP, unix.TCP_MAXSEG, bytes) }

// set sets an option. Without it everything works as well, only less so: nothing to
// report.
func set(c syscall.Conn, level, option, value int) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), level, option, value) })
	}
}

// Inspect asks how much the far end's kernel has not taken yet, and how far away it
// is. ok is false when the system does not say.
func Inspect(c *net.TCPConn) (unsent int, rtt time.Duration, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, 0, false
	}
	err = raw.Control(func(fd uintptr) {
		n, e := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		if e != nil {
			return
		}
		unsent, ok = n, true
		if info, e := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); e == nil {
			rtt = time.Duration(info.Rtt) * time.Microsecond
		}
	})
	return unsent, rtt, ok && err == nil
}
