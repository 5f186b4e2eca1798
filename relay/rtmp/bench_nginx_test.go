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
	"sync"
	"testing"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
)

const nginxModule = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

// BenchmarkNginxPush is the same load through nginx-rtmp's push, for comparison: we
// publish one stream to it, it sends N.
func BenchmarkNginxPush(b *testing.B) {
	nginx := testkit.Tool(b, "nginx")
	if _, err := os.Stat(nginxModule); err != nil {
		b.Skip("nginx has no rtmp module")
	}
	far := startFarEnds(b)
	for _, n := range []int{10, 50, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			measured(b, 0, 0, func() cost { return nginxPush(b, nginx, far, n) })
		})
	}
}

func nginxPush(b *testing.B, nginx string, far *farEnds, n int) (c cost) {
	addr, pid := startNginx(b, nginx, far.rtmp, n)
	h := hub.New()
	pub, err := h.Publish(hub.Program, hub.Origin{Keep: 3 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	defer pub.Close()
	pub.SetTracks(relaytest.Tracks(0))
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { benchProgram(stop, func(au media.AccessUnit) { pub.Write(au); c.units += n }) })
	ctx, cancel := context.WithCancel(b.Context())
	sub, err := h.Await(ctx, hub.Program)
	if err != nil {
		b.Fatal(err)
	}
	all.Go(func() {
		defer sub.Close()
		_ = rtmp.New(nil).Push(ctx, &url.URL{Scheme: "rtmp", Host: addr, Path: "/in", Fragment: "program"}, sub, relay.NewLink(nil))
	})
	time.Sleep(3 * time.Second) // nginx connects
	bytes, cpu := far.bytes(b), processTime(b, pid)
	time.Sleep(benchFor) // the span that is measured
	c.bytes, c.cpu = far.bytes(b)-bytes, processTime(b, pid)-cpu
	cancel()
	close(stop)
	all.Wait()
	return c
}

// startNginx is one that pushes what it gets to n keys at to.
func startNginx(b *testing.B, nginx, to string, n int) (addr string, pid int) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close()
	dir := b.TempDir()
	var conf strings.Builder
	fmt.Fprintf(&conf, "load_module %s;\ndaemon off;\nmaster_process off;\npid %s/pid;\nerror_log %s/log;\nevents {}\n", nginxModule, dir, dir)
	fmt.Fprintf(&conf, "rtmp { server { listen %s; application in { live on;\n", addr)
	for i := range n {
		fmt.Fprintf(&conf, "push rtmp://%s/live/k%d;\n", to, i)
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

func (f *farEnds) bytes(b *testing.B) (total uint64) {
	if _, err := fmt.Sscan(f.ask("bytes"), &total); err != nil {
		b.Fatal(err)
	}
	return total
}
