package srt

import (
	"context"
	"net"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay"
)

// listener answers inductions as listeners do, or nothing.
func listener(t *testing.T, answers bool) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var buf [maxPacket]byte
		for {
			n, from, err := conn.ReadFrom(buf[:])
			if err != nil {
				return
			}
			p, ok := readPacket(buf[:n])
			if !ok || !answers {
				continue
			}
			asked, _ := readHandshake(p.body)
			h := handshake{version: 5, extension: hsMagic, mtu: ourMTU, window: ourWindow, kind: hsInduction, cookie: 7, socket: 1}
			_, _ = conn.WriteTo(h.append(control(nil, ctrlHandshake, 0, 0, asked.socket)), from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String()
}

func TestAHostIsReachedAlthoughSomeOfItsAddressesDoNotAnswer(t *testing.T) {
	dead, alive := listener(t, false), listener(t, true)
	closed := listener(t, false)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := conn.LocalAddr().String() // no one listens there: the system reports that
	conn.Close()
	for name, addrs := range map[string][]string{
		"the first is dead": {dead, alive}, "the first refuses": {refused, alive}, "three do not answer": {dead, refused, closed, alive},
		"all answer": {alive, dead},
	} {
		began := time.Now()
		k, first, err := dialAddrs(t.Context(), target{latency: time.Second}, addrs)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if at := k.udp.RemoteAddr().String(); at != alive || first.cookie != 7 || time.Since(began) > testkit.Allow(4*time.Second) {
			t.Errorf("%s: %s after %v", name, at, time.Since(began))
		}
		_ = k.udp.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := dial(ctx, target{addr: dead}, relay.NewLink(nil)); err == nil {
		t.Error("a dead address was reached")
	}
}
