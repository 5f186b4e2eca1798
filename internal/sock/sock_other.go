//go:build !linux

package sock

import (
	"net"
	"time"
)

// Limit bounds what the kernel hides from us, as well as can be.
func Limit(c *net.TCPConn, unsent int) { _ = c.SetWriteBuffer(4 * unsent) }

// Inspect knows nothing here; that a write does not end has to do.
func Inspect(*net.TCPConn) (unsent int, rtt time.Duration, ok bool) { return 0, 0, false }

// Segment leaves the pieces as they are.
func Segment(*net.TCPListener, int) {}

// Narrow leaves the buffers as they are.
func Narrow(*net.TCPListener, int) {}
