package rtmp

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// tune keeps a backlog out of the kernel: a write waits once this much was not
// even sent. What is sent and not yet acknowledged may be as much as the path
// holds; the kernel finds that out by itself as long as nobody fixes the buffer.
func tune(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	// Without it everything works as well, only later: nothing to report.
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentLimit)
	})
}

// inspect asks how much the far end's kernel has not taken yet, and how far away
// it is. ok is false when the system does not say.
func inspect(c *net.TCPConn) (unsent int, rtt time.Duration, ok bool) {
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
