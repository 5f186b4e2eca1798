package rtsp

import (
	"errors"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/headers"
)

func TestUDPPortsOutOfRangeAreRefused(t *testing.T) {
	s := &server{}
	for first, valid := range map[int]bool{0: false, 1: true, 65534: true, 65535: false, 65536: false} {
		offered := headers.Transports{{Protocol: headers.TransportProtocolUDP, ClientPorts: &[2]int{first, first + 1}}}
		if err := s.claim(&session{}, offered); (err == nil) != valid || err != nil && !errors.Is(err, errPorts) {
			t.Errorf("ports %d and %d: %v", first, first+1, err)
		}
	}
}
