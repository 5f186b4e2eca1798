//go:build !linux

package whep

import (
	"errors"
	"net/netip"
)

// sendSegments is supported on Linux only.
func (p *udpPort) sendSegments([]byte, int, netip.AddrPort) error { return errors.ErrUnsupported }

func segmentsUnsupported(error) bool { return true }
