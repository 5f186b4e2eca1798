package listen

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// udpBuffer has room for a large keyframe that arrives in one burst.
const udpBuffer = 4 << 20

// UDPPair binds an even UDP port and the one after it (RFC 3550, 11): the first
// free pair from port on, or any when port is 0.
func UDPPair(host string, port int) (rtp, rtcp net.PacketConn, err error) {
	var errs []error
	for try := range 32 {
		at := 0
		if port != 0 {
			at = (port+1)&^1 + 2*try
		}
		if rtp, rtcp, err = udpPair(host, at); err == nil {
			return rtp, rtcp, nil
		}
		errs = append(errs, err)
	}
	return nil, nil, fmt.Errorf("no two consecutive UDP ports are free: %w", errors.Join(errs[0], errs[len(errs)-1]))
}

func udpPair(host string, port int) (rtp, rtcp net.PacketConn, err error) {
	first, err := udp(host, port)
	if err != nil {
		return nil, nil, err
	}
	got := first.LocalAddr().(*net.UDPAddr).Port
	second, err := udp(host, got^1) // the other half of the pair
	if err != nil {
		first.Close()
		return nil, nil, err
	}
	if got&1 == 1 {
		first, second = second, first
	}
	return first, second, nil
}

func udp(host string, port int) (net.PacketConn, error) {
	network := "udp"
	if host == "0.0.0.0" {
		network = "udp4"
	}
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("no UDP port %d", port)
	}
	return ListenUDP(network, net.JoinHostPort(host, strconv.Itoa(port)))
}

// ListenUDP is net.ListenPacket with a receive buffer that holds a whole keyframe.
func ListenUDP(network, address string) (net.PacketConn, error) {
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	// As large as the system allows; there is no error when that is less.
	_ = conn.(*net.UDPConn).SetReadBuffer(udpBuffer)
	return conn, nil
}

// UDPPairAbove binds a pair of UDP ports for a server whose TCP port is known: the pair
// two above it, or any when that is 0. listen hands them out, by address, to a library
// that insists on binding its ports itself.
func UDPPairAbove(host, port string) (rtp, rtcp string, listen func(network, address string) (net.PacketConn, error), err error) {
	dialFrom, err := strconv.Atoi(port)
	if err != nil {
		return "", "", nil, err
	}
	if dialFrom != 0 {
		dialFrom += 2
	}
	data, control, err := UDPPair(host, dialFrom)
	if err != nil {
		return "", "", nil, err
	}
	rtp, rtcp = data.LocalAddr().String(), control.LocalAddr().String()
	return rtp, rtcp, func(_, address string) (net.PacketConn, error) {
		if address == rtp {
			return data, nil
		}
		return control, nil
	}, nil
}
