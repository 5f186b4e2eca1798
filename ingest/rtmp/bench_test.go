package rtmp_test

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"testing"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/rtmp"
	"obvan/media"
	"obvan/media/flv"
	wire "obvan/media/rtmp"
	"obvan/media/rtmp/rtmptest"
)

// BenchmarkIngest measures a message from the socket to a hub's reader. The publisher
// that feeds it allocates nothing.
func BenchmarkIngest(b *testing.B) {
	h := hub.New()
	env := ingest.Env{Hub: h, Log: slog.New(slog.DiscardHandler), Authorise: func(ingest.Request) error { return nil }}
	srv, err := rtmp.Listen(&url.URL{Scheme: "rtmp", Host: "127.0.0.1:0"}, env)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- srv.Run(ctx) }()
	conn, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		b.Fatal(err)
	}
	c := rtmptest.Handshake(b, conn)
	c.Connect("live")
	if code, message := c.Publish("cam1"); code != "NetStream.Publish.Start" {
		b.Fatal(code, message)
	}
	c.Media(wire.TypeAudio, 0, flv.AudioConfig(&tracks[1]))
	c.Media(wire.TypeVideo, 0, flv.VideoConfig(&tracks[0]))
	sub, err := h.Subscribe("cam1")
	if err != nil {
		b.Fatal(err)
	}
	body := append(videoFrame(true, "65aa"), make([]byte, 16<<10)...)
	copy(body[5:], []byte{0, 0, 0x40, 2})
	c.Media(wire.TypeVideo, 0, body)
	next := func() (au media.AccessUnit) {
		if au, err = sub.Next(ctx); err != nil {
			b.Fatal(err)
		}
		return au
	}
	next()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	var at uint32
	for b.Loop() {
		at += 40
		c.Media(wire.TypeVideo, at, body)
		next()
	}
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
	conn.Close()
}
