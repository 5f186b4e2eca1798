package rtmp_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/relay/testserver"
)

// benchServersEnv makes this test binary serve as the benchmark's servers.
const benchServersEnv = "OBVAN_BENCH_SERVERS"

const timestampAt = 12 // where a frame carries the time it was written

// benchServers is the other process.
type benchServers struct {
	rtmp, raw string
	in        *bufio.Writer
	out       *bufio.Scanner
}

func startBenchServers(b *testing.B) *benchServers {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), benchServersEnv+"=1")
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
	f := &benchServers{in: bufio.NewWriter(in), out: bufio.NewScanner(out)}
	f.out.Scan()
	f.rtmp, f.raw, _ = strings.Cut(f.out.Text(), " ")
	return f
}

func (f *benchServers) request(what string) string {
	_, _ = f.in.WriteString(what + "\n")
	_ = f.in.Flush()
	f.out.Scan()
	return f.out.Text()
}

func (f *benchServers) resetLatencies() { f.request("forget") }

func (f *benchServers) latencies(b *testing.B) {
	var p50, p99 float64
	if _, err := fmt.Sscan(f.request("latencies"), &p50, &p99); err == nil {
		b.ReportMetric(p50, "p50-ms")
		b.ReportMetric(p99, "p99-ms")
	}
}

// runBenchServers is the other process: an RTMP server and a bare one, until stdin closes.
func runBenchServers() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := testserver.Listen("127.0.0.1:0", nil)
	if err != nil {
		panic(err)
	}
	s.Behave(func(key string) testserver.Behaviour {
		how := testserver.Behaviour{Discard: !strings.HasPrefix(key, "probe")}
		if strings.HasPrefix(key, "quiet") { // its sender does not ping
			how.OnPing = testserver.IgnorePings
		}
		return how
	})
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
				buf := make([]byte, 512<<10) // as the RTMP server does
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
		if in.Text() == "bytes" {
			total := uint64(0)
			for _, ses := range s.Sessions() {
				total += ses.Counts().Bytes
			}
			fmt.Println(total)
			continue
		}
		fmt.Println(latencies(s, since))
	}
}

// latencies is how late frames came since then, in ms.
func latencies(s *testserver.Server, since time.Time) (p50, p99 float64) {
	var all []time.Duration
	for _, ses := range s.Sessions() {
		for _, u := range ses.Units() {
			if u.Video && u.Arrived.After(since) {
				all = append(all, u.Arrived.Sub(time.Unix(0, int64(binary.BigEndian.Uint64(u.Data[timestampAt:])))))
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
