package srt

import (
	"encoding/binary"
	"net"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"obvan/relay"
)

func TestALongPathGetsALongerLatencyUnlessTheAddressSetsIt(t *testing.T) {
	for _, c := range []struct {
		query string
		rtt   time.Duration
		want  time.Duration
	}{
		{"", 40 * time.Millisecond, DefaultLatency},
		{"", 200 * time.Millisecond, time.Second},
		{"", 3 * time.Second, maxAutoLatency},
		{"?latency=120", 200 * time.Millisecond, 120 * time.Millisecond},
		{"?latency=4000", 200 * time.Millisecond, 4 * time.Second},
	} {
		u, err := url.Parse("srt://host:9000" + c.query)
		if err != nil {
			t.Fatal(err)
		}
		to, err := parse(u, DefaultLatency)
		if to.adaptLatency(c.rtt); err != nil || to.latency != c.want {
			t.Errorf("%q over %v: %v, %v", c.query, c.rtt, to.latency, err)
		}
	}
}

func TestSequenceNumbersMayWrap(t *testing.T) {
	c := &conn{negotiated: negotiated{isn: seqMask - 2}, link: relay.NewLink(nil)}
	now := time.Now()
	for range 6 {
		c.inFlight = append(c.inFlight, sentPacket{buf: make([]byte, 100), firstSent: now, lastSent: now.Add(-time.Second)})
	}
	c.reportLost(span{seqMask - 1, 1}, now) // packets 1 to 4
	if c.lost != 4 || c.inFlight[0].lost || !c.inFlight[4].lost || c.inFlight[5].lost {
		t.Fatalf("%d lost", c.lost)
	}
	c.acknowledge(0, now) // the first three
	if len(c.inFlight) != 3 || c.lost != 2 || c.acked.Load() != 300 {
		t.Fatalf("%d in flight, %d lost", len(c.inFlight), c.lost)
	}
	for _, old := range []uint32{seqMask, 0, 1 << 20} { // outdated, and never sent
		c.acknowledge(old, now)
	}
	c.reportLost(span{seqMask - 2, seqMask}, now)
	if len(c.inFlight) != 3 || c.lost != 2 {
		t.Fatalf("%d in flight, %d lost", len(c.inFlight), c.lost)
	}
}

func TestPacketsThatTheReceiverSkippedAreCounted(t *testing.T) {
	now := time.Now()
	c := &conn{link: relay.NewLink(nil), unacknowledged: unacknowledged{inFlight: make([]sentPacket, 4)}, negotiated: negotiated{latency: 200 * time.Millisecond}}
	for i := range c.inFlight {
		c.inFlight[i].firstSent = now.Add(-300 * time.Millisecond)
	}
	c.reportLost(span{1, 1}, now)
	c.inFlight[2].repeated, c.inFlight[2].lastSent = true, now.Add(-150*time.Millisecond)
	c.rtt.Store(int64(20 * time.Millisecond))
	if n := c.acknowledge(4, now); n.skipped != 1 || n.rtt != 0 {
		t.Fatalf("%d skipped, took %v", n.skipped, n.rtt)
	}
}

func TestAPathThatIsLostForAMomentIsALostPacket(t *testing.T) {
	udp, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(listener(t, false))))
	if err != nil {
		t.Fatal(err)
	}
	c := &conn{udp: udp, link: relay.NewLink(nil)}
	defer c.Close()
	now := time.Now()
	write := func(after time.Duration, size int) error { return c.write(make([]byte, size), now.Add(after)) }
	const tooLong = 70_000 // the system can't send it
	for _, after := range []time.Duration{0, time.Second, 2 * time.Second} {
		if err := write(after, tooLong); err != nil {
			t.Fatalf("after %v: %v", after, err)
		}
	}
	if err := write(2*time.Second, 100); err != nil {
		t.Fatal(err)
	}
	if err := write(4*time.Second, tooLong); err != nil {
		t.Fatalf("lost for another moment: %v", err)
	}
	if write(8*time.Second, tooLong) == nil {
		t.Fatal("lost for seconds, and no error")
	}
}

func FuzzListenerPackets(f *testing.F) {
	h := handshake{version: 5, extension: hsMagic, kind: hsInduction}
	f.Add(h.append(control(nil, ctrlHandshake, 0, 0, 1)))
	h.kind = hsConclusion
	f.Add(appendExtension(appendExtension(h.append(control(nil, ctrlHandshake, 0, 0, 1)), extHSRSP, make([]byte, 12)), extKMRSP, []byte{4, 0, 0, 0}))
	f.Add(append(control(nil, ctrlACK, 1, 0, 1), make([]byte, 28)...))
	f.Add(binary.BigEndian.AppendUint64(control(nil, ctrlNAK, 0, 0, 1), 0x8000000000000005))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := readPacket(b)
		if !ok {
			return
		}
		_, _ = readHandshake(p.body)
		c := &conn{link: relay.NewLink(nil), unacknowledged: unacknowledged{inFlight: make([]sentPacket, 8)}, negotiated: negotiated{isn: seqMask - 3}}
		c.inbox.wake = make(chan struct{}, 1)
		if a, ok := readACK(p.body); ok {
			c.inbox.note(func(in *inbox) { in.ack, in.acked, in.free = a.seq, time.Now(), int(a.free) })
		}
		c.inbox.note(func(in *inbox) { in.naks = readNAK(nil, p.body) })
		c.readFeedback(time.Now())
		if c.window < 0 || c.lost < 0 || c.lost > len(c.inFlight) || c.lostBytes < 0 {
			t.Fatalf("window %d, lost %d of %d", c.window, c.lost, len(c.inFlight))
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("streamid=%23!::r=x,m=publish&latency=120", "key")
	f.Add("passphrase=0123456789&pbkeylen=16", "")
	f.Fuzz(func(t *testing.T, query, key string) {
		to := target{keyLength: 16}
		if _, err := to.query(query); err == nil && (to.latency < 0 || to.latency > maxLatency) {
			t.Fatalf("latency %v", to.latency)
		}
		_ = wordSwapped(key)
	})
}
