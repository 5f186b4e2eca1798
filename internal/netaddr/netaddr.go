// Package netaddr answers questions about a peer's address.
package netaddr

import (
	"net"
	"net/netip"
	"strings"
)

// Host is the host of host:port, or of a host alone, without the brackets of IPv6.
func Host(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
}

// IP is the IP address of host:port or of a host; the zero Addr when it is a name.
func IP(hostport string) netip.Addr {
	addr, err := netip.ParseAddr(Host(hostport))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// Loopback reports whether host:port or a host is this machine.
func Loopback(hostport string) bool {
	return Host(hostport) == "localhost" || IP(hostport).IsLoopback()
}

// Network is the part of a peer's address that one customer of a provider has: an IPv4
// address, and of IPv6 the first 64 bits.
func Network(hostport string) string {
	addr := IP(hostport)
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
