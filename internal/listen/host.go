package listen

import "net"

// Host is a client's address without its port, which differs for each connection.
func Host(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}
