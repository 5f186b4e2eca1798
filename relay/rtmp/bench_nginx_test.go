//go:build linux

package rtmp_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay/rtmp"
)

const nginxModule = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

// BenchmarkNginxPush is the same load through nginx-rtmp's push, for comparison: we
// publish one stream to it, unit by unit, and it sends N. The time its one process needs
// for receiving, with no one to push to, is subtracted. "small" is its own chunk size,
// 4096; "large" is ours.
func BenchmarkNginxPush(b *testing.B) {
	nginx := testkit.Tool(b, "nginx")
	if _, err := os.Stat(nginxModule); err != nil {
		b.Skip("nginx has no rtmp module")
	}
	server := startBenchServers(b)
	receiving := nginxPush(b, nginx, server, 0, "")
	for _, n := range []int{10, 50, 200} {
		for _, size := range []int{4096, 65536} {
			b.Run(fmt.Sprintf("%d/%d", n, size), func(b *testing.B) {
				measured(b, receiving, func() cost { return nginxPush(b, nginx, server, n, fmt.Sprintf("chunk_size %d;", size)) })
			})
		}
	}
}

func nginxPush(b *testing.B, nginx string, server *benchServers, n int, setting string) (c cost) {
	addr, pid := startNginx(b, nginx, server.rtmp, n, setting)
	p := startProgram(b)
	ctx, cancel := context.WithCancel(b.Context())
	defer func() { cancel(); p.close() }()
	out := rtmp.New(nil)
	out.Merge = 0
	p.push(b, ctx, out, &url.URL{Scheme: "rtmp", Host: addr, Path: "/in", Fragment: "program"})
	time.Sleep(3 * time.Second) // nginx connects
	bytes, cpu := server.bytes(b), processTime(b, pid)
	time.Sleep(benchFor) // the measured period
	return cost{bytes: server.bytes(b) - bytes, cpu: processTime(b, pid) - cpu}
}

// startNginx starts one that pushes what it receives to n keys at to.
func startNginx(b *testing.B, nginx, to string, n int, setting string) (addr string, pid int) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close()
	dir := b.TempDir()
	var conf strings.Builder
	fmt.Fprintf(&conf, "load_module %s;\ndaemon off;\nmaster_process off;\npid %s/pid;\nerror_log %s/log;\nevents {}\n", nginxModule, dir, dir)
	fmt.Fprintf(&conf, "rtmp { server { listen %s; %s application in { live on;\n", addr, setting)
	for i := range n {
		fmt.Fprintf(&conf, "push rtmp://%s/live/quiet%d;\n", to, i)
	}
	conf.WriteString("} } }\n")
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(nginx, "-c", path, "-p", dir)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	testkit.Eventually(b, 5*time.Second, func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, "nginx listens")
	return addr, cmd.Process.Pid
}

// processTime is another process's processor time so far.
func processTime(b *testing.B, pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		b.Fatal(err)
	}
	var ns int64
	_, _ = fmt.Sscan(string(text), &ns)
	return time.Duration(ns)
}

func (f *benchServers) bytes(b *testing.B) (total uint64) {
	if _, err := fmt.Sscan(f.request("bytes"), &total); err != nil {
		b.Fatal(err)
	}
	return total
}
