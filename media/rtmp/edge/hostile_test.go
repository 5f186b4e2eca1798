package edge_test

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media/amf0"
	"obvan/media/rtmp"
	"obvan/media/rtmp/rtmptest"
)

// The commands here are just past a limit of the edge and harmless to other software.
// The limits exist because libraries that read commands without them have been seen to
// end the whole process.

func TestACommandPastALimitEndsOnlyItsOwnConnection(t *testing.T) {
	s := start(t, time.Minute)
	for name, body := range map[string][]byte{
		"an array that counts one value too many": {10, 0, 0, 0, 2, 5},
		"the same inside an object":               {3, 0, 1, 'a', 10, 0, 0, 0, 2, 5},
		"objects nested one too deep":             append(append(bytes.Repeat([]byte{3, 0, 1, 'a'}, amf0.MaxDepth), 5), bytes.Repeat([]byte{0, 0, 9}, amf0.MaxDepth)...),
		"a connect of a byte more than 64 KiB":    nil,
		"a string of a byte more than 64 KiB":     {12, 0, 1, 0, 1},
	} {
		before := memory()
		c := rtmptest.Dial(t, s.addr)
		c.W.SetChunkSize(rtmp.ChunkSize)
		if body == nil {
			c.Flush()
			c.Raw([]byte{3, 0, 0, 0, 0x01, 0x00, 0x01, 20, 0, 0, 0, 0})
		} else {
			c.W.Add(rtmp.Header{Chunks: 3, Type: rtmp.TypeCommand}, nil, connectWith(body))
			c.Flush()
		}
		if !c.Disconnected(3 * time.Second) {
			t.Errorf("%s: the connection is still open", name)
		}
		if after := memory(); after > before+20<<20 {
			t.Errorf("%s: takes %d MB", name, (after-before)>>20)
		}
	}
	s.works(t, s.camera(t), "a command past a limit on another connection")
}

func TestUnfinishedMessagesTakeBoundedMemory(t *testing.T) {
	s := start(t, time.Minute)
	half := func(c *rtmptest.Client, first int, kind rtmp.Type, length int) { // three of them are just past the limit
		var b []byte
		for id := first; id < first+3; id++ {
			b = append(b, byte(id), 0, 0, 0, byte(length>>16), byte(length>>8), byte(length), byte(kind), 1, 0, 0, 0)
			b = append(b, make([]byte, 65536)[:min(length-1, 65536)]...)
		}
		c.Raw(b)
	}
	before := memory()
	for range 40 {
		client := rtmptest.Dial(t, s.addr)
		client.W.SetChunkSize(rtmp.ChunkSize)
		client.Flush()
		half(client, 9, rtmp.TypeVideo, 8<<20)
		half(client, 9, rtmp.TypeCommand, 60<<10)
	}
	if after := memory(); after > before+40<<20 {
		t.Errorf("40 clients take %d MB", (after-before)>>20)
	}
	c := s.camera(t)
	half(c, 9, rtmp.TypeVideo, 8<<20)
	if !c.Disconnected(3 * time.Second) {
		t.Error("24 MB of unfinished messages are accepted")
	}
	if after := memory(); after > before+60<<20 {
		t.Errorf("with a camera: %d MB", (after-before)>>20)
	}
	s.works(t, s.camera(t), "a command past a limit on another connection")
}

func TestUnusualMessagesDoNotEndTheConnection(t *testing.T) {
	s := start(t, time.Minute)
	c := s.camera(t)
	add := func(kind rtmp.Type, stream uint32, body []byte) {
		c.W.Add(rtmp.Header{Chunks: 20, Type: kind, Stream: stream}, body, nil)
		c.Flush()
	}
	for name, send := range map[string]func(){
		"an empty video message":         func() { add(rtmp.TypeVideo, 1, nil) },
		"an empty user control":          func() { add(rtmp.TypeUserControl, 0, nil) },
		"an unknown user control":        func() { c.W.Event(33, 1); c.Flush() },
		"an unknown type":                func() { add(99, 1, make([]byte, 100)) },
		"shared objects":                 func() { add(16, 0, []byte{0, 1}); add(19, 0, []byte{1}) },
		"an AMF3 data message":           func() { add(rtmp.TypeDataAMF3, 1, amf0.Append([]byte{0}, "onCuePoint", nil)) },
		"an AMF3 command":                func() { add(rtmp.TypeCommandAMF3, 0, amf0.Append([]byte{0}, "whatever", 4, nil)) },
		"a command in AMF3 values":       func() { add(rtmp.TypeCommandAMF3, 0, []byte{3, 1, 2, 3}) },
		"an aggregate":                   func() { add(rtmp.TypeAggregate, 1, append([]byte{9, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'x'}, 0, 0, 0, 12)) },
		"an aggregate with a wrong size": func() { add(rtmp.TypeAggregate, 1, []byte{9, 0xff, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'x'}) },
		"an unexpected result":           func() { c.Send(0, "_result", 77, nil, nil) },
		"an unknown command":             func() { c.Send(1, "dance", 78, nil, amf0.Object{{Name: "how", Value: []any{nil, 1}}}) },
		"an unknown data message":        func() { add(rtmp.TypeData, 1, amf0.Append(nil, "onMetaData", amf0.ECMAArray{{Name: "a", Value: 1}})) },
		"malformed metadata":             func() { add(rtmp.TypeData, 1, []byte{10, 0, 0, 0, 1}) },
		"a message stream not created":   func() { add(rtmp.TypeVideo, 55, []byte{1}) },
		"a second connect":               func() { c.Send(0, "connect", 1, amf0.Object{{Name: "app", Value: "x"}}) },
		"a second publish":               func() { c.Send(1, "publish", 5, nil, "other", "live") },
		"a bandwidth of zero":            func() { c.W.Control(rtmp.TypePeerBandwidth, 0); c.Flush() },
		"a window of one byte":           func() { c.W.Control(rtmp.TypeWindowAck, 1); c.Flush() },
		"an abort without a message":     func() { c.W.Control(rtmp.TypeAbort, 6); c.Flush() },
	} {
		send()
		s.works(t, c, name)
	}
	// A header inside a message: the sender has abandoned the unfinished message.
	c.Raw([]byte{9, 0, 0, 0, 0x02, 0, 0, 9, 1, 0, 0, 0})
	c.Raw(make([]byte, 65536))
	c.Raw([]byte{9, 0, 0, 0, 0, 0, 1, 9, 1, 0, 0, 0, 'x'})
	s.works(t, c, "a new header inside a message")
}

func TestUnusualConnectCommandsAreAccepted(t *testing.T) {
	s := start(t, time.Minute)
	for name, about := range map[string][]byte{
		"undefined":      append([]byte{3, 0, 1, 'x', 6, 0, 3, 'a', 'p', 'p'}, append(amf0.Append(nil, "live"), 0, 0, 9)...),
		"wrong types":    append([]byte{3, 0, 12, 'c', 'a', 'p', 'a', 'b', 'i', 'l', 'i', 't', 'i', 'e', 's', 2, 0, 1, 'x', 0, 5, 't', 'c', 'U', 'r', 'l', 5, 0, 3, 'a', 'p', 'p'}, append(amf0.Append(nil, "live"), 0, 0, 9)...),
		"AMF3 requested": amf0.Append(nil, amf0.Object{{Name: "app", Value: "live"}, {Name: "objectEncoding", Value: 3}}),
		"an array":       amf0.Append(nil, amf0.ECMAArray{{Name: "app", Value: "live"}}),
		"trailing bytes": append(amf0.Append(nil, amf0.Object{{Name: "app", Value: "live"}}), 0xff, 0xff),
		"a FourCC list":  amf0.Append(nil, amf0.Object{{Name: "app", Value: "live"}, {Name: "fourCcList", Value: []any{"hvc1", "av01"}}}),
	} {
		c := rtmptest.Dial(t, s.addr)
		c.W.SetChunkSize(rtmp.ChunkSize)
		c.W.Add(rtmp.Header{Chunks: 3, Type: rtmp.TypeCommandAMF3}, []byte{0}, connectWith(about))
		c.Send(0, "createStream", 2, nil)
		if code, description := c.Publish("cam"); code != "NetStream.Publish.Start" {
			t.Errorf("%s: %s: %s", name, code, description)
		}
	}
}

func TestTimestampsPastFourHoursAndPastTheWrapAreRead(t *testing.T) {
	s := start(t, time.Minute)
	c := s.camera(t)
	var want []uint32
	c.W.SetChunkSize(100) // several chunks a message: each repeats the extended timestamp
	for at := uint32(0xffffff - 100); at < 0xffffff+100; at += 33 {
		want = append(want, at)
		c.Media(rtmp.TypeVideo, at, make([]byte, 450))
	}
	want = append(want, 0xfffffff0, 0x10) // and over the wrap
	c.Media(rtmp.TypeVideo, 0xfffffff0, make([]byte, 450))
	c.Media(rtmp.TypeVideo, 0x10, make([]byte, 450))
	testkit.Eventually(t, 3*time.Second, func() bool { return s.messages() >= len(want) }, "messages are missing")
	for i, m := range s.got {
		if m.Timestamp != want[i] || len(m.Payload) != 450 {
			t.Errorf("message %d is at %#x, not %#x", i, m.Timestamp, want[i])
		}
	}
}

func TestAbandonedConnectionsCostLittleAndBlockNoCamera(t *testing.T) {
	s := start(t, time.Minute)
	first := s.camera(t)
	before := memory()
	var open sync.WaitGroup
	for range 8 {
		open.Go(func() {
			for i := range 300 {
				conn, err := net.Dial("tcp", s.addr)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { conn.Close() })
				if i%2 == 0 { // half of them begin a handshake, so that go-rtmp takes its buffers
					conn.Write(append([]byte{3}, make([]byte, 1536)...))
				}
			}
		})
	}
	open.Wait()
	s.works(t, first, "a large number of idle connections")
	s.works(t, s.camera(t), "a large number of earlier idle connections")
	if after := memory(); after > before+80<<20 {
		t.Errorf("2400 connections cost %d MB", (after-before)>>20)
	}
}
