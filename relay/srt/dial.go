package srt

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/datarhei/gosrt/crypto"
	srtpacket "github.com/datarhei/gosrt/packet"

	"obvan/relay"
)

const (
	dialTimeout    = 8 * time.Second
	resendInterval = 250 * time.Millisecond // a handshake packet may get lost

	ourMTU    = 1500
	ourWindow = 8192 // packets in flight: 14 s at 6 Mbit/s

	maxPacket = 1500 // we need no longer ones

	sendBuffer = 256 << 10
)

// caller is a call that was not answered yet.
type caller struct {
	udp   *net.UDPConn
	to    target
	began time.Time
	hs    handshake // what we send next
	crypt crypto.Crypto
	buf   [maxPacket]byte
}

// dial calls a listener (4.3.1).
func dial(ctx context.Context, to target, link *relay.Link) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	k, first, err := dialHost(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	stop := context.AfterFunc(ctx, k.interrupt)
	c, err := k.conclude(ctx, first, link)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = k.udp.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return c, nil
}

// interrupt fails reads and writes under way.
func (k *caller) interrupt() { _ = k.udp.SetDeadline(time.Now()) }

// callAddr opens a socket and sends an induction to the listener at an address.
func callAddr(ctx context.Context, to target, addr string) (k *caller, first handshake, err error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "udp", addr)
	if err != nil {
		return nil, first, err
	}
	k = &caller{udp: raw.(*net.UDPConn), to: to, began: time.Now()}
	defer context.AfterFunc(ctx, k.interrupt)()
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails (crypto/rand)
	k.hs = handshake{
		version: 4, extension: 2, isn: binary.BigEndian.Uint32(random[:]) & seqMask, mtu: ourMTU, window: ourWindow,
		kind: hsInduction, socket: binary.BigEndian.Uint32(random[4:])&0x3fffffff | 1,
	}
	k.hs.peer = address(k.udp.RemoteAddr())
	_ = k.udp.SetWriteBuffer(sendBuffer)
	asked := time.Now()
	if first, err = k.ask(ctx, k.hs.append(k.head()), hsInduction); err != nil {
		_ = k.udp.Close()
		return nil, first, err
	}
	k.to.adaptLatency(time.Since(asked)) // too long if a packet was lost: that does no harm
	return k, first, nil
}

// conclude completes the handshake with a listener that has answered.
func (k *caller) conclude(ctx context.Context, first handshake, link *relay.Link) (*conn, error) {
	if first.version != 5 || first.extension != hsMagic {
		return nil, relay.NewRemoteError(relay.ErrRefused, "the server's SRT version is too old: it needs 1.3 (2018) or newer")
	}
	request, err := k.conclusion(first)
	if err != nil {
		return nil, err
	}
	last, err := k.ask(ctx, request, hsConclusion)
	if err != nil {
		return nil, err
	}
	switch {
	case last.badKey != 0, k.crypt != nil && last.extension&2 == 0 && last.encryption == 0 && !last.answers:
		return nil, rejection(1010)
	case !last.answers:
		return nil, errHandshake
	}
	return newConn(k, last, link), nil
}

// conclusion is our second handshake packet.
func (k *caller) conclusion(first handshake) ([]byte, error) {
	h := k.hs
	h.version, h.kind, h.cookie, h.extension, h.encryption = 5, hsConclusion, first.cookie, 1, 0
	var km bytes.Buffer
	if k.to.passphrase != "" {
		length := k.to.keyLength
		if e := first.encryption; e >= 2 && e <= 4 { // the server's choice has priority
			length = 8 * int(e)
		}
		var err error
		if k.crypt, err = crypto.New(length); err != nil {
			return nil, err
		}
		var ext srtpacket.CIFKeyMaterialExtension
		if err := k.crypt.MarshalKM(&ext, k.to.passphrase, srtpacket.EvenKeyEncrypted); err != nil {
			return nil, err
		}
		if err := ext.Marshal(&km); err != nil {
			return nil, err
		}
		h.encryption, h.extension = uint16(length/8), h.extension|2
	}
	if k.to.streamID != "" {
		h.extension |= 4
	}
	b := h.append(k.head())
	ms := uint32(k.to.latency.Milliseconds())
	b = appendExtension(b, extHSREQ, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, version), hsFlags), ms<<16|ms))
	if km.Len() > 0 {
		b = appendExtension(b, extKMREQ, km.Bytes())
	}
	if k.to.streamID != "" {
		b = appendExtension(b, extSID, wordSwapped(k.to.streamID))
	}
	return b, nil
}

// head is the header of our handshake packets.
func (k *caller) head() []byte {
	return control(nil, ctrlHandshake, 0, uint32(time.Since(k.began).Microseconds()), 0)
}

// ask sends a request until it is answered with a handshake of a kind, or refused.
func (k *caller) ask(ctx context.Context, request []byte, kind uint32) (handshake, error) {
	for {
		if _, err := k.udp.Write(request); err != nil {
			return handshake{}, err
		}
		_ = k.udp.SetReadDeadline(time.Now().Add(resendInterval))
		if ctx.Err() != nil {
			return handshake{}, context.DeadlineExceeded
		}
		for {
			n, err := k.udp.Read(k.buf[:])
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return handshake{}, err
			}
			p, ok := readPacket(k.buf[:n])
			if !ok || !p.control || p.kind != ctrlHandshake || p.to != k.hs.socket && p.to != 0 {
				continue
			}
			h, err := readHandshake(p.body)
			switch {
			case err != nil:
				return h, err
			case h.kind == kind:
				return h, nil
			case h.kind >= 1000 && h.kind < 1<<31:
				return h, rejection(h.kind)
			}
		}
	}
}

// address is an IP address as handshakes carry it: words of four bytes, in reverse byte
// order (3.2.1).
func address(a net.Addr) (b [16]byte) {
	udp, ok := a.(*net.UDPAddr)
	if !ok {
		return b
	}
	if v4 := udp.IP.To4(); v4 != nil {
		binary.LittleEndian.PutUint32(b[:], binary.BigEndian.Uint32(v4))
		return b
	}
	for i := 0; i+4 <= len(udp.IP) && i < 16; i += 4 {
		binary.LittleEndian.PutUint32(b[i:], binary.BigEndian.Uint32(udp.IP[i:]))
	}
	return b
}
