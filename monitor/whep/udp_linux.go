package whep

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// sendSegments sends buf as packets of size bytes, of which the last may be shorter, in one
// system call (UDP generic segmentation offload, udp(7)).
func (p *udpPort) sendSegments(buf []byte, size int, to netip.AddrPort) error {
	var control [24]byte
	n := unix.CmsgSpace(2)
	header := unix.Cmsghdr{Level: unix.SOL_UDP, Type: unix.UDP_SEGMENT}
	header.SetLen(unix.CmsgLen(2))
	at := unix.CmsgLen(0)
	if at == 16 { // the length is a size_t
		binary.NativeEndian.PutUint64(control[0:], uint64(header.Len))
	} else {
		binary.NativeEndian.PutUint32(control[0:], uint32(header.Len))
	}
	binary.NativeEndian.PutUint32(control[at-8:], uint32(header.Level))
	binary.NativeEndian.PutUint32(control[at-4:], uint32(header.Type))
	binary.NativeEndian.PutUint16(control[at:], uint16(size))
	_, _, err := p.WriteMsgUDPAddrPort(buf, control[:n], to)
	return err
}

// segmentsUnsupported reports whether err means that the kernel or the network card doesn't
// support segmentation: old kernels refuse the message, cards without checksum offload fail
// with EIO.
func segmentsUnsupported(err error) bool {
	return errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOPROTOOPT) || errors.Is(err, unix.EOPNOTSUPP)
}
