//go:build !linux

package sock

import (
	"net"
	"time"
)

// LimitUnsent bounds the send buffer, the closest thing to a limit of unsent bytes here.
func LimitUnsent(c *net.TCPConn, unsent int) { _ = c.SetWriteBuffer(4 * unsent) }

// Inspect is not available here: the caller has to rely on writes that time out.
func Inspect(*net.TCPConn) (unsent int, rtt time.Duration, ok bool) { return 0, 0, false }

// LimitSegmentSize does nothing here.
func LimitSegmentSize(*net.TCPListener, int) {}

// LimitReceiveBuffer does nothing here.
func LimitReceiveBuffer(*net.TCPListener, int) {}
