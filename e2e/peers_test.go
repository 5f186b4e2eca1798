package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"obvan/internal/testkit"
)

// process is a peer that the test started; it is ended with the test.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	log   *syncBuffer
	ended chan struct{}
}

func run(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(testkit.Tool(t, name), args...), log: &syncBuffer{}, ended: make(chan struct{})}
	p.cmd.Stderr = p.log
	p.cmd.Stdout = p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %v:\n%s", name, args, p.log.tail(2000))
		}
	})
	return p
}

// kill ends it without warning.
func (p *process) kill() {
	p.cmd.Process.Signal(syscall.SIGCONT)
	p.cmd.Process.Kill()
	<-p.ended
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// camera is what an ffmpeg camera shows and sends.
type camera struct {
	colour string // of the whole frame
	size   string // "640x360"
	gop    int    // frames between keyframes
	tone   int    // Hz; 0 for no audio
	counts bool   // it shows the number of each frame
	coder  []string
	extra  []string
}

// counterBits are those of the number in the bottom left of a camera's frames: a square
// each, the lowest first, of which 22.5 are as high as the frame.
const counterBits = 10

func counter() string {
	filter := fmt.Sprintf(",drawbox=x=0:y=ih-ih*2/45:w=ih*2/45*%d:h=ih*2/45:c=black:t=fill", counterBits)
	for bit := range counterBits {
		filter += fmt.Sprintf(",drawbox=x=ih*2/45*%d:y=ih-ih*2/45:w=ih*2/45:h=ih*2/45:c=white:t=fill:enable='mod(floor(n/%d),2)'", bit, 1<<bit)
	}
	return filter
}

// send starts ffmpeg as a camera: a solid colour with a white flash and a beep
// each second, so that colour proves a cut and flash and beep prove the sync.
func (c camera) send(t testing.TB, format, url string) *process {
	t.Helper()
	if c.size == "" {
		c.size = "640x360"
	}
	if c.gop == 0 {
		c.gop = 30
	}
	// One graph for both, so that one clock paces them: with an input each, ffmpeg's
	// audio would run ahead by as long as the second one took to start.
	graph := fmt.Sprintf("color=%s:s=%s:r=30,drawbox=x=0:y=0:w=iw/4:h=ih/4:c=white:t=fill:enable='lt(mod(t,1),0.1)'", c.colour, c.size)
	if c.counts {
		graph += counter()
	}
	graph += "[out0]"
	if c.tone > 0 {
		graph += fmt.Sprintf(";aevalsrc='0.5*sin(2*PI*%d*t)*lt(mod(t,1),0.1)':s=48000:c=stereo[out1]", c.tone)
	}
	if c.coder == nil {
		c.coder = []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
			"-g", fmt.Sprint(c.gop), "-keyint_min", fmt.Sprint(c.gop), "-sc_threshold", "0", "-threads", "1"}
	}
	args := append([]string{"-v", "error", "-re", "-f", "lavfi", "-i", graph, "-c:a", "aac", "-b:a", "96k"}, c.coder...)
	args = append(args, c.extra...)
	args = append(args, "-f", format)
	if format == "rtsp" {
		args = append(args, "-rtsp_transport", "tcp")
	}
	return run(t, "ffmpeg", append(args, url)...)
}

// nginx is an RTMP server that is not ours: it records what it receives.
type nginx struct {
	*process
	addr string
	dir  string
}

// startNginx runs nginx-rtmp with an application "live" that records. extra goes
// into the application.
func startNginx(t testing.TB, extra string) *nginx {
	t.Helper()
	n := &nginx{addr: freePort(t), dir: t.TempDir()}
	n.restart(t, extra)
	return n
}

func (n *nginx) restart(t testing.TB, extra string) {
	t.Helper()
	os.MkdirAll(filepath.Join(n.dir, "rec"), 0o777)
	os.Chmod(n.dir, 0o777)
	os.Chmod(filepath.Join(n.dir, "rec"), 0o777)
	conf := fmt.Sprintf(`
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; pid %[1]s/pid; error_log stderr warn;
events {}
rtmp { server { listen %[2]s; chunk_size 4096; ping 5s; ping_timeout 5s;
	application live { live on; record all; record_path %[1]s/rec; record_unique on; %[3]s }
} }`, n.dir, n.addr, extra)
	path := filepath.Join(n.dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	testkit.Tool(t, "nginx")
	n.process = run(t, "nginx", "-p", n.dir, "-c", path, "-e", "stderr")
	testkit.Eventually(t, 5*time.Second, func() bool {
		c, err := net.Dial("tcp", n.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, "nginx listens on %s", n.addr)
}

func (n *nginx) url() string { return "rtmp://" + n.addr + "/live" }

// recordings are the files written so far, oldest first.
func (n *nginx) recordings(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.dir, "rec", "*.flv"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// freePort is a loopback address that is free at the moment.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
