//go:build !linux

package whep

import (
	"errors"
	"net/netip"
)

// sendSegments is what only Linux has.
func (p *udpPort) sendSegments([]byte, int, netip.AddrPort) error { return errors.ErrUnsupported }

func segmentsUnsupported(error) bool { return true }
