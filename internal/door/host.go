package door

import "net"

// Host is a peer's address without its port, which differs with each connection.
func Host(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}
