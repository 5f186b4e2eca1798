package rtmp_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/sink"
)

// Shape of the benchmark: 6 Mbit/s at 30 pictures a second, AAC at 128 kbit/s.
const (
	benchFor   = 4 * time.Second
	benchSize  = 23_300 // of an ordinary picture; the key frame each two seconds is 4 times as large
	benchFrame = time.Second / 30
	benchSound = 1024 * time.Second / 48000
	stampAt    = 12 // where a picture carries the time it was written
)

// BenchmarkDestinations is N destinations on loopback for four seconds of real
// time, beside a bare loop that writes the same messages to as many sockets. The far ends are another
// process, so that what is measured is the sender's. cpu-ms/Gbit is the sender's
// processor time for each delivered gigabit, x-bare its ratio to the bare loop.
func BenchmarkDestinations(b *testing.B) {
	farEnd := startFarEnds(b)
	for _, n := range []int{1, 10, 50, 200} {
		bare := 0.0
		b.Run(fmt.Sprintf("%d/bare", n), func(b *testing.B) { bare = measured(b, 0, func() cost { return bareLoop(b, farEnd, n) }) })
		b.Run(fmt.Sprintf("%d/floor", n), func(b *testing.B) { measured(b, bare, func() cost { return floorLoop(b, farEnd, n) }) })
		for name, merge := range map[string]time.Duration{"merged": rtmp.DefaultMerge, "unmerged": 0} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				measured(b, bare, func() cost { return destinations(b, farEnd, n, merge) })
				farEnd.latencies(b)
			})
		}
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

// measured runs span once for each loop and reports; it returns ms of processor
// time a gigabit.
func measured(b *testing.B, bare float64, span func() cost) (per float64) {
	for b.Loop() {
		c := span()
		per = float64(c.cpu.Microseconds()) / 1000 / (float64(c.bytes) * 8 / 1e9)
		b.ReportMetric(per, "cpu-ms/Gbit")
		b.ReportMetric(float64(c.mallocs)/float64(c.units), "allocs/unit")
		b.ReportMetric(float64(c.bytes)*8/1e6/benchFor.Seconds(), "Mbit/s")
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

// bareLoop writes each message to each socket, one after the other.
func bareLoop(b *testing.B, far *farEnds, n int) (c cost) {
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
	cpu, mallocs := usage(b)
	benchProgram(stop, func(au media.AccessUnit) {
		for _, conn := range conns {
			m, err := conn.Write(au.Data)
			if err != nil {
				b.Error(err)
			}
			c.bytes += uint64(m)
			c.units++
		}
	})
	cpu2, mallocs2 := usage(b)
	c.cpu, c.mallocs = cpu2-cpu, mallocs2-mallocs
	return c
}

func floorLoop(b *testing.B, far *farEnds, n int) (c cost) {
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conn, err := net.Dial("tcp", far.raw)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn.(*net.TCPConn)
	}
	stop := make(chan struct{})
	time.AfterFunc(benchFor, func() { close(stop) })
	cpu, mallocs := usage(b)
	var batch [][]byte
	last := time.Now()
	var bufs net.Buffers
	tmp := make([][]byte, 0, 100)
	benchProgram(stop, func(au media.AccessUnit) {
		batch = append(batch, au.Data)
		if time.Since(last) < 45*time.Millisecond {
			return
		}
		last = time.Now()
		for _, conn := range conns {
			tmp = append(tmp[:0], batch...)
			bufs = tmp
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

// farEnds is the other process.
type farEnds struct {
	rtmp, raw string
	in        *bufio.Writer
	out       *bufio.Scanner
}

func startFarEnds(b *testing.B) *farEnds {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), farEndEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	f := &farEnds{in: bufio.NewWriter(in), out: bufio.NewScanner(out)}
	f.out.Scan()
	f.rtmp, f.raw, _ = strings.Cut(f.out.Text(), " ")
	return f
}

func (f *farEnds) ask(what string) string {
	_, _ = f.in.WriteString(what + "\n")
	_ = f.in.Flush()
	f.out.Scan()
	return f.out.Text()
}

func (f *farEnds) forget(*testing.B) { f.ask("forget") }

func (f *farEnds) latencies(b *testing.B) {
	var p50, p99 float64
	if _, err := fmt.Sscan(f.ask("latencies"), &p50, &p99); err == nil {
		b.ReportMetric(p50, "p50-ms")
		b.ReportMetric(p99, "p99-ms")
	}
}

const farEndEnv = "OBVAN_BENCH_FAR_ENDS"

// serveFarEnds is the other process: an RTMP server and a bare one, until stdin
// closes.
func serveFarEnds() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := sink.Listen("127.0.0.1:0", nil)
	if err != nil {
		panic(err)
	}
	s.Behave(func(key string) sink.Behaviour { return sink.Behaviour{Discard: !strings.HasPrefix(key, "probe")} })
	go func() { _ = s.Run(ctx) }()
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := raw.Accept()
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 256<<10)
				for err := error(nil); err == nil; _, err = conn.Read(buf) {
				}
				conn.Close()
			}()
		}
	}()
	fmt.Println(s.Addr(), raw.Addr())
	since := time.Now()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "forget" {
			since = time.Now()
			fmt.Println("ok")
			continue
		}
		fmt.Println(latencies(s, since))
	}
}

// latencies is how late pictures came since then, in ms.
func latencies(s *sink.Server, since time.Time) (p50, p99 float64) {
	var all []time.Duration
	for _, ses := range s.Sessions() {
		for _, u := range ses.Units() {
			if u.Video && u.Arrived.After(since) {
				all = append(all, u.Arrived.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(u.Data[stampAt:])))))
			}
		}
	}
	if len(all) == 0 {
		return 0, 0
	}
	slices.Sort(all)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return ms(all[len(all)/2]), ms(all[len(all)*99/100])
}
