package netaddr_test

import (
	"testing"

	"obvan/internal/netaddr"
)

func TestLoopbackAddressesAreRecognised(t *testing.T) {
	for hostport, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9": true, "[::1]:80": true, "::1": true, "[::1]": true, "localhost": true, "localhost:8080": true,
		"[::ffff:127.0.0.1]:1": true, "10.0.0.1:80": false, "example.org:80": false, "localhost.example.org": false, "": false, "0.0.0.0:0": false, "not an address": false,
	} {
		if got := netaddr.Loopback(hostport); got != want {
			t.Errorf("%q: %v", hostport, got)
		}
	}
}

func TestOneNetworkIsAnIPv4AddressOrAnIPv6Prefix(t *testing.T) {
	for hostport, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1", "[2001:db8::1]:5": "2001:db8::/64", "[2001:db8::ffff]:6": "2001:db8::/64", "[::ffff:10.0.0.1]:1": "10.0.0.1",
		"fe80::1%eth0": "fe80::/64", "nonsense": "invalid IP",
	} {
		if got := netaddr.Network(hostport); got != want {
			t.Errorf("%q: %s, want %s", hostport, got, want)
		}
	}
}
