//go:build unix

package rtmp_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
)

// Shape of the benchmark: 6 Mbit/s at 30 pictures a second, AAC at 128 kbit/s.
const (
	benchFor   = 4 * time.Second
	benchSize  = 23_300 // of an ordinary picture; the key frame each two seconds is 4 times as large
	benchFrame = time.Second / 30
	benchSound = 1024 * time.Second / 48000
)

// BenchmarkDestinations is N destinations on loopback for four seconds of real time,
// beside a bare loop that writes the same messages to as many sockets. The far ends
// are another process, so that what is measured is the sender's. cpu-ms/Gbit is the sender's
// processor time for each delivered gigabit, x-bare its ratio to the bare loop.
func BenchmarkDestinations(b *testing.B) {
	far := startFarEnds(b)
	idle := nobody(b)
	for _, n := range []int{1, 10, 50, 200} {
		bare := 0.0
		run := func(name string, span func() cost, after func(b *testing.B)) {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				per := measured(b, bare, idle, span)
				if bare == 0 {
					bare = per
				}
				after(b)
			})
		}
		nothing := func(*testing.B) {}
		run("bare", func() cost { return bareLoop(b, far, n, 0) }, nothing)
		run("bare-merged", func() cost { return bareLoop(b, far, n, rtmp.DefaultMerge) }, nothing)
		run("unmerged", func() cost { return destinations(b, far, n, 0) }, far.latencies)
		run("merged", func() cost { return destinations(b, far, n, rtmp.DefaultMerge) }, far.latencies)
	}
}

// cost is what a measured span took.
type cost struct {
	cpu     time.Duration
	bytes   uint64
	mallocs uint64
	units   int // delivered, all destinations together
	memory  uint64
}

// nobody is the processor time of a program that nobody reads, for as long as a
// span takes.
func nobody(b *testing.B) time.Duration {
	h := hub.New()
	pub, err := h.Publish(hub.Program, hub.Origin{Keep: 3 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer pub.Close()
	pub.SetTracks(relaytest.Tracks(0))
	stop := make(chan struct{})
	time.AfterFunc(benchFor, func() { close(stop) })
	before, _ := usage(b)
	benchProgram(stop, pub.Write)
	after, _ := usage(b)
	return after - before
}

// measured runs span once for each loop and reports; it returns ms of processor
// time for sending a gigabit.
func measured(b *testing.B, bare float64, idle time.Duration, span func() cost) (per float64) {
	for b.Loop() {
		c := span()
		gbit := float64(c.bytes) * 8 / 1e9
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		per = ms(c.cpu-idle) / gbit
		b.ReportMetric(ms(c.cpu)/gbit, "cpu-ms/Gbit")
		b.ReportMetric(per, "sending-ms/Gbit")
		b.ReportMetric(float64(c.mallocs)/float64(c.units), "allocs/unit")
		if c.memory > 0 {
			b.ReportMetric(float64(c.memory)/1024, "kB/dest")
		}
	}
	b.ReportMetric(0, "ns/op")
	if bare > 0 {
		b.ReportMetric(per/bare, "x-bare")
	}
	return per
}

// usage is this process's processor time and allocations so far.
func usage(b *testing.B) (cpu time.Duration, mallocs uint64) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), m.Mallocs
}

// benchProgram calls write for each unit at its time, until stop.
func benchProgram(stop <-chan struct{}, write func(au media.AccessUnit)) {
	begin := time.Now()
	for picture, sound := 0, 0; ; picture++ {
		at := time.Duration(picture) * benchFrame
		select {
		case <-stop:
			return
		case <-time.After(time.Until(begin.Add(at))):
		}
		key, size := picture%60 == 0, benchSize
		if key {
			size *= 4
		}
		data := make([]byte, 4+size)
		binary.BigEndian.PutUint32(data, uint32(size))
		if data[4] = 0x41; key {
			data[4] = 0x65
		}
		data[5] = 0x80
		binary.BigEndian.PutUint64(data[stampAt:], uint64(time.Now().UnixNano()))
		write(media.AccessUnit{Track: 0, PTS: at, DTS: at, Key: key, Data: data})
		for ; time.Duration(sound)*benchSound < at; sound++ {
			at := time.Duration(sound) * benchSound
			write(media.AccessUnit{Track: 1, PTS: at, DTS: at, Key: true, Data: make([]byte, 341)})
		}
	}
}

// bareLoop writes each message to each socket, one after the other; with merge,
// the messages of so long at once: what merging can save at most.
func bareLoop(b *testing.B, far *farEnds, n int, merge time.Duration) (c cost) {
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := net.Dial("tcp", far.raw)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	stop := make(chan struct{})
	time.AfterFunc(benchFor, func() { close(stop) })
	var batch, parts [][]byte
	last := time.Now()
	cpu, mallocs := usage(b)
	benchProgram(stop, func(au media.AccessUnit) {
		if batch = append(batch, au.Data); time.Since(last) < merge {
			return
		}
		last = time.Now()
		for _, conn := range conns {
			parts = append(parts[:0], batch...)
			bufs := net.Buffers(parts)
			m, err := bufs.WriteTo(conn)
			if err != nil {
				b.Error(err)
			}
			c.bytes += uint64(m)
			c.units += len(batch)
		}
		batch = batch[:0]
	})
	cpu2, mallocs2 := usage(b)
	c.cpu, c.mallocs = cpu2-cpu, mallocs2-mallocs
	return c
}

// destinations pushes to n far ends, of which up to ten tell their latencies.
func destinations(b *testing.B, far *farEnds, n int, merge time.Duration) (c cost) {
	h := hub.New()
	pub, err := h.Publish(hub.Program, hub.Origin{Keep: 3 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer pub.Close()
	pub.SetTracks(relaytest.Tracks(0))
	stop := make(chan struct{})
	var all sync.WaitGroup
	units := 0
	all.Go(func() { benchProgram(stop, func(au media.AccessUnit) { pub.Write(au); units++ }) })
	runtime.GC()
	before := resident(b)
	ctx, cancel := context.WithCancel(b.Context())
	links := make([]*relay.Link, n)
	var connected sync.WaitGroup
	connected.Add(n)
	out := rtmp.New(nil)
	out.Merge = merge
	for i := range links {
		links[i] = relay.NewLink(connected.Done)
		sub, err := h.Await(ctx, hub.Program)
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("k%d", i)
		if i%max(1, n/10) == 0 {
			name = "probe" + name
		}
		all.Go(func() {
			defer sub.Close()
			if err := out.Push(ctx, &url.URL{Scheme: "rtmp", Host: far.rtmp, Path: "/live", Fragment: name}, sub, links[i]); err != nil {
				b.Errorf("push: %v", err)
			}
		})
	}
	connected.Wait()
	sent := func() (total uint64) {
		for _, l := range links {
			total += l.Sent.Load()
		}
		return total
	}
	far.forget(b)
	cpu, mallocs := usage(b)
	bytes, first := sent(), units
	time.Sleep(benchFor) // the span that is measured
	cpu2, mallocs2 := usage(b)
	c = cost{cpu: cpu2 - cpu, mallocs: mallocs2 - mallocs, bytes: sent() - bytes, units: (units - first) * n}
	if after := resident(b); n >= 50 && after > before {
		c.memory = (after - before) / uint64(n)
	}
	cancel()
	close(stop)
	all.Wait()
	return c
}

// resident is the process's resident memory.
func resident(b *testing.B) uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, pages uint64
	_, _ = fmt.Sscan(string(text), &total, &pages)
	return pages * uint64(os.Getpagesize())
}
