package sock

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// LimitUnsent keeps a backlog out of the kernel: a write blocks once that many bytes
// are unsent. Bytes that were sent and are not yet acknowledged do not count.
func LimitUnsent(c *net.TCPConn, unsent int) {
	set(c, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
}

// LimitReceiveBuffer sets the receive buffer of the connections that l accepts from now
// on: a server that reads slowly then has no room for seconds of video.
func LimitReceiveBuffer(l *net.TCPListener, bytes int) {
	set(l, unix.SOL_SOCKET, unix.SO_RCVBUF, bytes)
}

// LimitSegmentSize bounds the TCP segments that the connections that l accepts from now
// on receive: as over a network, unlike the loopback interface.
func LimitSegmentSize(l *net.TCPListener, bytes int) {
	set(l, unix.IPPROTO_TCP, unix.TCP_MAXSEG, bytes)
}

// set sets an option. Failing is no error: everything still works, only less well.
func set(c syscall.Conn, level, option, value int) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), level, option, value) })
	}
}

// Inspect reads how many bytes the remote end's kernel has not acknowledged yet, and the
// round-trip time. ok is false when the system does not say.
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
