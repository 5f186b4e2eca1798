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
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
)

// Shape of the benchmark: 6 Mbit/s at 30 frames a second, AAC at 128 kbit/s.
const (
	benchFor   = 5 * time.Second
	benchKeep  = 3 * time.Second // of the program
	benchSize  = 23_300          // of an ordinary frame; the keyframe every two seconds is 4 times as large
	benchFrame = time.Second / 30
	benchAudio = 1024 * time.Second / 48000
)

// BenchmarkDestinations is N destinations on loopback for five seconds of real time,
// beside a bare loop that writes the same messages to as many sockets.
//
// sending-ms/Gbit is the sender's processor time for each delivered gigabit, without that
// of a program with no readers; x-bare is its ratio to the bare loop. "handed" is that
// loop in a goroutine of its own, so that the program's writer does not wait for it: with
// few destinations, being woken is most of the cost. The servers are another process. They
// receive the bytes in both cases in the same way, but only ours acknowledge and answer
// pings, as real servers do, and only ours are measured four times a second, as by the
// supervisor. From 50 destinations on, five of them read the frames: p99-ms is from a
// frame's making to the server having all of it; kB/dest is resident memory, with garbage
// collected before both measurements.
func BenchmarkDestinations(b *testing.B) {
	server := startBenchServers(b)
	for _, n := range []int{1, 10, 50, 200} {
		idle, bare := idleProgram(b), 0.0
		run := func(name string, span func() cost) {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				per := measured(b, idle, span)
				if bare == 0 {
					bare = per
				}
				b.ReportMetric(per/bare, "x-bare")
				if strings.HasSuffix(name, "merged") && name != "bare-merged" && n >= 50 {
					server.latencies(b)
				}
			})
		}
		run("bare", func() cost { return runBareLoop(b, server, n, 0, false) })
		run("handed", func() cost { return runBareLoop(b, server, n, 0, true) })
		run("unmerged", func() cost { return destinations(b, server, n, 0) })
		run("merged", func() cost { return destinations(b, server, n, rtmp.DefaultMerge) })
		run("bare-merged", func() cost { return runBareLoop(b, server, n, rtmp.DefaultMerge, true) })
	}
}

// cost is what a measured period took.
type cost struct {
	cpu     time.Duration
	bytes   uint64
	mallocs uint64
	units   int64  // delivered, all destinations together
	memory  uint64 // of a destination, 0 when it was not measured
}

// measured runs span once per loop and reports; it returns ms of processor time for
// sending a gigabit.
func measured(b *testing.B, idle cost, span func() cost) (per float64) {
	for b.Loop() {
		c := span()
		per = float64((c.cpu - idle.cpu).Microseconds()) / 1000 / (float64(c.bytes) * 8 / 1e9)
		b.ReportMetric(per, "sending-ms/Gbit")
		if c.units > 0 {
			b.ReportMetric(max(0, float64(c.mallocs)-float64(idle.mallocs))/float64(c.units), "allocs/unit")
		}
		if c.memory > 0 {
			b.ReportMetric(float64(c.memory)/1024, "kB/dest")
		}
	}
	b.ReportMetric(0, "ns/op")
	return per
}

// during is what this process needs for a period.
func during(b *testing.B) (c cost) {
	cpu, mallocs := usage(b)
	time.Sleep(benchFor) // the measured period
	cpu2, mallocs2 := usage(b)
	return cost{cpu: cpu2 - cpu, mallocs: mallocs2 - mallocs}
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

// liveProgram is a program that plays.
type liveProgram struct {
	hub     *hub.Hub
	units   atomic.Int64
	stop    chan struct{}
	readers sync.WaitGroup // and its writer
}

func startProgram(b *testing.B) *liveProgram {
	p := &liveProgram{hub: hub.New(), stop: make(chan struct{})}
	pub, err := p.hub.Publish(hub.Program, hub.Origin{Keep: benchKeep})
	if err != nil {
		b.Fatal(err)
	}
	pub.SetTracks(relaytest.Tracks(0))
	p.readers.Go(func() {
		defer pub.Close()
		benchProgram(p.stop, func(au media.AccessUnit) { pub.Write(au); p.units.Add(1) })
	})
	return p
}

// close stops it and waits for all its readers.
func (p *liveProgram) close() {
	close(p.stop)
	p.readers.Wait()
}

// push sends it to a key at to, until it ends.
func (p *liveProgram) push(b *testing.B, ctx context.Context, out *rtmp.Output, to *url.URL) *relay.Link {
	sub, err := p.hub.Await(ctx, hub.Program)
	if err != nil {
		b.Fatal(err)
	}
	link := relay.NewLink(nil)
	p.readers.Go(func() {
		defer sub.Close()
		if err := out.Push(ctx, to, sub, link); err != nil {
			b.Errorf("push: %v", err)
		}
	})
	return link
}

// idleProgram is what a program without readers takes.
func idleProgram(b *testing.B) cost {
	p := startProgram(b)
	defer p.close()
	return during(b)
}

// benchProgram calls write for each unit at its time, until stop: audio comes between the
// video frames.
func benchProgram(stop <-chan struct{}, write func(au media.AccessUnit)) {
	begin := time.Now()
	for frame, audio := 0, 0; ; {
		at, isAudio := time.Duration(frame)*benchFrame, false
		if next := time.Duration(audio) * benchAudio; next < at {
			at, isAudio = next, true
		}
		select {
		case <-stop:
			return
		case <-time.After(time.Until(begin.Add(at))):
		}
		if isAudio {
			write(media.AccessUnit{Track: 1, PTS: at, DTS: at, Key: true, Data: make([]byte, 341)})
			audio++
			continue
		}
		write(benchVideo(at, frame%60 == 0))
		frame++
	}
}

func benchVideo(at time.Duration, key bool) media.AccessUnit {
	size := benchSize
	if key {
		size *= 4
	}
	data := make([]byte, 4+size)
	binary.BigEndian.PutUint32(data, uint32(size))
	if data[4] = 0x41; key {
		data[4] = 0x65
	}
	data[5] = 0x80
	binary.BigEndian.PutUint64(data[timestampAt:], uint64(time.Now().UnixNano()))
	return media.AccessUnit{Track: 0, PTS: at, DTS: at, Key: key, Data: data}
}

// runBareLoop writes each message to each socket, one after the other; with merge, the
// messages of that period at once: the most that merging can save. The program is written
// in the same goroutine, or handed to it as readers get it.
func runBareLoop(b *testing.B, server *benchServers, n int, merge time.Duration, handed bool) (c cost) {
	loop := bareLoop{b: b, merge: merge, last: time.Now()}
	for range n {
		conn, err := net.Dial("tcp", server.raw)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		loop.conns = append(loop.conns, conn)
	}
	if handed {
		p := startProgram(b)
		defer p.close()
		sub, err := p.hub.Subscribe(hub.Program)
		if err != nil {
			b.Fatal(err)
		}
		defer sub.Close()
		ctx, cancel := context.WithTimeout(b.Context(), benchFor)
		defer cancel()
		cpu, mallocs := usage(b)
		for {
			au, err := sub.Next(ctx)
			if err != nil {
				cpu2, mallocs2 := usage(b)
				return cost{cpu: cpu2 - cpu, mallocs: mallocs2 - mallocs, bytes: loop.bytes}
			}
			loop.write(au)
		}
	}
	stop := make(chan struct{})
	time.AfterFunc(benchFor, func() { close(stop) })
	cpu, mallocs := usage(b)
	benchProgram(stop, loop.write)
	cpu2, mallocs2 := usage(b)
	return cost{cpu: cpu2 - cpu, mallocs: mallocs2 - mallocs, bytes: loop.bytes}
}

// bareLoop is its state.
type bareLoop struct {
	b            *testing.B
	conns        []net.Conn
	merge        time.Duration
	last         time.Time
	batch, parts [][]byte
	bytes        uint64
}

func (l *bareLoop) write(au media.AccessUnit) {
	if l.batch = append(l.batch, au.Data); time.Since(l.last) < l.merge {
		return
	}
	l.last = time.Now()
	for _, conn := range l.conns {
		l.parts = append(l.parts[:0], l.batch...)
		bufs := net.Buffers(l.parts)
		m, err := bufs.WriteTo(conn)
		if err != nil {
			l.b.Error(err)
		}
		l.bytes += uint64(m)
	}
	l.batch = l.batch[:0]
}

// destinations pushes to n servers.
func destinations(b *testing.B, server *benchServers, n int, merge time.Duration) (c cost) {
	p := startProgram(b)
	ctx, cancel := context.WithCancel(b.Context())
	defer func() { cancel(); p.close() }()
	before := uint64(0)
	if n >= 50 {
		time.Sleep(benchKeep) // until the program's memory is full
		before = resident()
	}
	out := rtmp.New(nil)
	out.Merge = merge
	links := make([]*relay.Link, n)
	for i := range links {
		name := fmt.Sprintf("k%d", i)
		if n >= 50 && i%(n/5) == 0 {
			name = "probe" + name
		}
		links[i] = p.push(b, ctx, out, &url.URL{Scheme: "rtmp", Host: server.rtmp, Path: "/live", Fragment: name})
	}
	awaitLive(b, links)
	measuring := time.NewTicker(time.Second / 4)
	defer measuring.Stop()
	p.readers.Go(func() {
		for {
			select {
			case <-measuring.C:
			case <-ctx.Done():
				return
			}
			for _, l := range links {
				l.Measure()
			}
		}
	})
	server.resetLatencies()
	bytes, first := sent(links), p.units.Load()
	c = during(b)
	c.bytes, c.units = sent(links)-bytes, (p.units.Load()-first)*int64(n)
	if after := resident(); n >= 50 && after > before {
		c.memory = (after - before) / uint64(n)
	}
	return c
}

func sent(links []*relay.Link) (total uint64) {
	for _, l := range links {
		total += l.Sent.Load()
	}
	return total
}

// awaitLive waits until all are live, and have learned how often to request
// acknowledgements.
func awaitLive(b *testing.B, links []*relay.Link) {
	until := time.Now().Add(20 * time.Second)
	for _, l := range links {
		for !l.IsLive() {
			if time.Sleep(10 * time.Millisecond); time.Now().After(until) {
				b.Fatal("not live")
			}
		}
	}
}

// resident is the process's resident memory, without garbage.
func resident() uint64 {
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, pages uint64
	_, _ = fmt.Sscan(string(text), &total, &pages)
	return pages * uint64(os.Getpagesize())
}
