package whep

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"obvan/hub"
	"obvan/media"
)

// The benchmarks send 6 Mbit/s, 30 frames a second in real time, to many viewers
// in another process, so that only the sender's CPU is counted. One run takes several
// seconds whatever b.N is: use -benchtime 1x.
const (
	benchFrame = 6_000_000 / 8 / 30
	benchFor   = 5 * time.Second
)

// BenchmarkViewers measures the whole path: hub, packetizer, pion, socket.
func BenchmarkViewers(b *testing.B) {
	for b.Loop() {
		h := hub.New()
		s, err := New(h, "127.0.0.1:0", slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		s.limits.byRemote = benchViewers
		p, err := h.Publish("program", hub.Origin{})
		if err != nil {
			b.Fatal(err)
		}
		p.SetTracks(media.Tracks{track180p})
		web := httptest.NewServer(s)
		send := func(n int) {
			at := time.Duration(n) * time.Second / 30
			p.Write(media.AccessUnit{PTS: at, DTS: at, Key: n%60 == 0, Data: prefixed(nal(0x41, sliceP, benchFrame, n))})
		}
		send(0)
		end, _ := startReceiver(b, web.URL+"/whep/program")
		measure(b, func(n int) { send(n + 1) })
		end()
		web.Close()
		p.Close()
		stop()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareLoop only encrypts the same packets and writes each to a socket: the minimum
// cost of a viewer at one system call per packet.
func BenchmarkBareLoop(b *testing.B) {
	for b.Loop() {
		end, addrs := startReceiver(b, "sockets")
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		var contexts []*srtp.Context
		for range addrs {
			c, err := srtp.CreateContext(make([]byte, 16), make([]byte, 12), srtp.ProtectionProfileAeadAes128Gcm)
			if err != nil {
				b.Fatal(err)
			}
			contexts = append(contexts, c)
		}
		seq, plain, sealed := uint16(0), make([]byte, 1500), make([]byte, 1500)
		tracks := &media.Tracks{track180p}
		measure(b, func(n int) {
			payloads := packetize(&media.AccessUnit{Tracks: tracks, Data: prefixed(nal(0x41, sliceP, benchFrame, n))})
			for i, to := range addrs {
				header := rtp.Header{Version: 2, PayloadType: 102, Timestamp: uint32(n) * 3000, SSRC: 1}
				_ = header.SetExtension(5, []byte{0, 0, 0})
				for k, payload := range payloads {
					header.SequenceNumber = seq + uint16(k)
					size, err := header.MarshalTo(plain)
					if err != nil {
						b.Fatal(err)
					}
					size += copy(plain[size:], payload)
					out, err := contexts[i].EncryptRTP(sealed, plain[:size], &header)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := conn.WriteToUDPAddrPort(out, to); err != nil {
						b.Fatal(err)
					}
				}
			}
			seq += uint16(len(payloads))
		})
		end()
		conn.Close()
	}
}

// measure sends frames in real time and reports the CPU time per delivered gigabit.
func measure(b *testing.B, send func(n int)) {
	b.Helper()
	var before, after syscall.Rusage
	var memBefore, memAfter runtime.MemStats
	runtime.ReadMemStats(&memBefore)
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	start := time.Now()
	frames := int(benchFor * 30 / time.Second)
	for n := range frames {
		time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / 30))) // in real time
		send(n)
	}
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	runtime.ReadMemStats(&memAfter)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	gigabits := float64(frames) * benchFrame * 8 * benchViewers / 1e9
	b.ReportMetric(cpu.Seconds()*1000/gigabits, "cpu-ms/Gbit")
	b.ReportMetric(float64(memAfter.Mallocs-memBefore.Mallocs)/gigabits, "allocs/Gbit")
	b.ReportMetric(100*cpu.Seconds()/time.Since(start).Seconds(), "%core")
}

// startReceiver starts the receiving process. It returns when all viewers are connected; end
// stops the process and reports what arrived.
func startReceiver(b *testing.B, watch string) (end func(), addrs []netip.AddrPort) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), benchTargetEnv+"="+watch)
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for len(addrs) < benchViewers && lines.Scan() {
		addr, err := netip.ParseAddrPort(lines.Text())
		if err != nil {
			b.Fatalf("%q", lines.Text())
		}
		addrs = append(addrs, addr)
	}
	return func() {
		_ = in.Close()
		if lines.Scan() {
			packets, _ := strconv.Atoi(lines.Text())
			b.ReportMetric(float64(packets)/benchViewers/benchFor.Seconds(), "packets/s/viewer")
		}
		_ = cmd.Wait()
	}, addrs
}
