package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"obvan/control"
	"obvan/internal/testkit"
	"obvan/relay"
)

// checkReceived checks what a server that is not ours received of six seconds of a red and
// six of a green camera: decoded without a complaint, in order, in sync, and with every
// frame that was sent in between.
func checkReceived(t *testing.T, path string) {
	t.Helper()
	var colours []string
	for _, p := range decodeFrames(t, path) {
		if len(colours) == 0 || colours[len(colours)-1] != p.colour {
			colours = append(colours, p.colour)
		}
	}
	if strings.Join(colours, " ") != "red green" {
		t.Errorf("colours received: %v", colours)
	}
	tags := readFLV(t, path)
	// ffmpeg's RTSP reader never has a time for the first frame ("Timestamps are unset"): its
	// parser looks for it from byte 0 on, and what comes from a network is at -1. It becomes 0;
	// so does the second's where no audio comes before it.
	if v := pick(tags, true); len(v) > 1 && v[0].dts == 0 && v[1].dts == 0 {
		t.Log("ffmpeg gave two frames the time 0")
		tags = slices.DeleteFunc(tags, func(g tag) bool { return g.video && !g.config && g.key && g.dts == 0 })
	}
	line := checkTimeline(t, tags, longestPeriod)
	if len(line.gaps) > 0 || line.video < 300 {
		t.Errorf("%d frames, gaps: %v", line.video, line.gaps)
	}
	checkNumbers(t, path)
	video, audio := pick(tags, true), pick(tags, false)
	if over := video[len(video)-1].dts - audio[len(audio)-1].dts; over.Abs() > 200*time.Millisecond {
		t.Errorf("audio and video end %v apart", over)
	}
	t.Logf("%v; audio and video at most %v apart", line, checkSync(t, path))
}

// withoutEnd copies a recording without its end: what SRT's receiver still has in its buffer
// when the session is closed is lost, in the middle of a frame.
func withoutEnd(t *testing.T, path string, end time.Duration) string {
	t.Helper()
	video := pick(readFLV(t, path), true)
	if len(video) == 0 {
		t.Fatalf("%s: no video", path)
	}
	short := path + ".short.flv"
	out, err := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "error", "-i", path, "-c", "copy", "-t", fmt.Sprint((video[len(video)-1].dts - end).Seconds()), short).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return short
}

// checkNumbers reads the numbers in the frames that were received: none that the camera
// sent is missing, except at the cut from one camera to the other.
func checkNumbers(t *testing.T, path string) {
	t.Helper()
	raw := ffmpegDecode(t, path, "-an", "-vf", fmt.Sprintf("crop=ih*2/45*%d:ih*2/45:0:ih*43/45,scale=%[1]d:1:flags=area,format=gray", counterBits),
		"-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-f", "rawvideo", "-pix_fmt", "gray", "-")
	last, jumps := -1, []string(nil)
	for ; len(raw) >= counterBits; raw = raw[counterBits:] {
		n := 0
		for bit, v := range raw[:counterBits] {
			if v > 128 {
				n |= 1 << bit
			}
		}
		if last >= 0 && n != (last+1)%(1<<counterBits) {
			jumps = append(jumps, fmt.Sprintf("%d to %d", last, n))
		}
		last = n
	}
	if len(jumps) > 1 || last < 0 {
		t.Errorf("frames are missing or come twice: %v (one of them is the cut)", jumps)
	}
}

// twoCameras sends the two cameras to a destination and stops it.
func twoCameras(t *testing.T, s *studio, to map[string]any) {
	t.Helper()
	camera{colour: "red", tone: 1000, counts: true}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/red")
	camera{colour: "green", tone: 1000, counts: true}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/green")
	s.live(20*time.Second, "red", "green")
	s.cut("red")
	to["id"], to["name"] = "dest", "Destination"
	s.do("destination.add", to)
	s.do("destination.start", map[string]any{"id": "dest"})
	s.destinationLive(15*time.Second, "dest")
	pause(t, 5*time.Second)
	s.cut("green")
	pause(t, 6*time.Second)
	if d := destination(s.state(), "dest"); d.Attempt != 1 || d.FramesDropped != 0 || d.State != relay.Live {
		t.Errorf("the destination: %+v", d)
	}
	s.do("destination.stop", map[string]any{"id": "dest"})
	s.await(5*time.Second, "stopped", func(st control.State) bool { return destination(st, "dest").State == relay.Off })
}

func TestFfmpegReceivesTheProgramOverEncryptedSRT(t *testing.T) {
	parallel(t, light)
	s := start(t)
	addr := freePort(t)
	_, port, _ := net.SplitHostPort(addr)
	path := filepath.Join(t.TempDir(), "received.flv")
	const passphrase = "correct_horse_battery"
	// What is late by more than the latency is dropped: a busy machine is late by some 300 ms.
	listener := run(t, "ffmpeg", "-v", "warning", "-y", "-i", "srt://127.0.0.1:"+port+"?mode=listener&passphrase="+passphrase+"&latency=800000",
		"-map", "0", "-c", "copy", "-f", "flv", path)
	twoCameras(t, s, map[string]any{"url": "srt://" + addr + "?streamid=publish:cam&latency=800", "key": passphrase})
	select {
	case <-listener.ended: // it ends when we close the session
	case <-time.After(5 * time.Second):
		t.Error("ffmpeg still waits after the session was closed")
		listener.signal(syscall.SIGINT)
		<-listener.ended
	}
	if log := listener.log.String(); strings.Contains(log, "corrupt") || strings.Contains(log, "discontinuity") {
		t.Errorf("ffmpeg complains:\n%s", log)
	}
	checkReceived(t, withoutEnd(t, path, 200*time.Millisecond))
	if log := s.log.String(); strings.Contains(log, passphrase) {
		t.Error("the passphrase is in the log")
	}
}

func TestAWrongPassphraseIsRefusedWithAReason(t *testing.T) {
	parallel(t, light)
	s := start(t, "-demo")
	addr := freePort(t)
	_, port, _ := net.SplitHostPort(addr)
	run(t, "ffmpeg", "-v", "warning", "-i", "srt://127.0.0.1:"+port+"?mode=listener&passphrase=correct_horse_battery", "-f", "null", "-")
	s.live(10*time.Second, "cam1")
	s.cut("cam1")
	s.do("destination.add", map[string]any{"id": "dest", "name": "Destination", "url": "srt://" + addr + "?streamid=x", "key": "wrong_horse_battery"})
	s.do("destination.start", map[string]any{"id": "dest"})
	st := s.await(15*time.Second, "refused", func(st control.State) bool { return destination(st, "dest").State == relay.Refused })
	if why := destination(st, "dest").Reason; !strings.Contains(why, "passphrase is wrong") {
		t.Errorf("reason %q", why)
	}
}

func TestFfmpegReceivesTheProgramOverRTSP(t *testing.T) {
	parallel(t, light)
	s := start(t)
	addr := freePort(t)
	path := filepath.Join(t.TempDir(), "received.flv")
	listener := run(t, "ffmpeg", "-v", "warning", "-y", "-rtsp_flags", "listen", "-i", "rtsp://"+addr+"/live/dest-key", "-map", "0", "-c", "copy", "-f", "flv", path)
	twoCameras(t, s, map[string]any{"url": "rtsp://" + addr + "/live", "key": "dest-key"})
	select {
	case <-listener.ended: // it ends when we close the session
	case <-time.After(5 * time.Second):
		t.Error("ffmpeg still waits after the session was closed")
		listener.signal(syscall.SIGINT)
		<-listener.ended
	}
	checkReceived(t, path)
}

func TestAnotherStudioReceivesTheProgram(t *testing.T) {
	parallel(t, light)
	for proto, url := range map[string]func(dest *studio) string{
		"rtsp": func(dest *studio) string { return "rtsp://" + dest.listen["rtsp"] + "/live/studio?key=" },
		"whip": func(dest *studio) string { return dest.url("/whip/studio") },
	} {
		t.Run("over "+proto, func(t *testing.T) {
			dest, s := start(t), start(t, "-demo")
			dest.do("feed.add", map[string]any{"id": "studio", "name": "Studio", "key": "dest-key"})
			s.live(10*time.Second, "cam1")
			s.cut("cam1")
			s.do("destination.add", map[string]any{"id": "dest", "name": "Destination", "url": url(dest), "key": "dest-key"})
			s.do("destination.start", map[string]any{"id": "dest"})
			s.destinationLive(10*time.Second, "dest")
			st := dest.await(10*time.Second, "the whole feed", func(st control.State) bool {
				return len(st.Feeds) == 1 && st.Feeds[0].State == control.FeedLive && st.Feeds[0].FPS > 29 && st.Feeds[0].Audio != nil
			})
			if f := st.Feeds[0]; f.Proto != proto || len(f.Corrections) > 0 {
				t.Errorf("the feed: %+v", f)
			}
			s.do("destination.stop", map[string]any{"id": "dest"})
			dest.await(5*time.Second, "the feed disconnected", func(st control.State) bool { return st.Feeds[0].State == control.FeedLost })

			s.do("destination.update", map[string]any{"id": "dest", "key": "wrong-key"})
			s.do("destination.start", map[string]any{"id": "dest"})
			refused := s.await(10*time.Second, "refused", func(st control.State) bool { return destination(st, "dest").State == relay.Refused })
			t.Logf("with a wrong key: %s", destination(refused, "dest").Reason)
		})
	}
}

// startNginxTLS puts TLS in front of an nginx-rtmp, as platforms have it, and returns
// the file of the certificate that it shows.
func startNginxTLS(t *testing.T, behind *nginx) (addr, certificate string) {
	t.Helper()
	addr, dir := freePort(t), t.TempDir()
	certificate = filepath.Join(dir, "cert.pem")
	key := filepath.Join(dir, "key.pem")
	writePair(t, "localhost", certificate, key)
	const module = "/usr/lib/nginx/modules/ngx_stream_module.so"
	load := ""
	if _, err := os.Stat(module); err == nil {
		load = "load_module " + module + ";"
	}
	conf := fmt.Sprintf(`
%s
daemon off; master_process off; pid %[2]s/pid; error_log stderr warn;
events {}
stream { server { listen %[3]s ssl; ssl_certificate %[4]s; ssl_certificate_key %[5]s; proxy_pass %[6]s; } }`,
		load, dir, addr, certificate, key, behind.addr)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	p := run(t, "nginx", "-p", dir, "-c", path, "-e", "stderr")
	testkit.Eventually(t, 5*time.Second, func() bool {
		select {
		case <-p.ended:
			if strings.Contains(p.log.String(), `unknown directive "stream"`) && os.Getenv("OBVAN_E2E") == "" {
				t.Skip("nginx has no stream module")
			}
			t.Fatalf("nginx: %s", p.log)
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, "nginx listens on %s", addr)
	return addr, certificate
}

// writePair writes a certificate for host and its private key.
func writePair(t *testing.T, host, certificate, key string) {
	t.Helper()
	server, _ := testkit.Certificate(t, host)
	pair := server.Certificates[0]
	secret, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNginxReceivesTheProgramOverRTMPS(t *testing.T) {
	parallel(t, light)
	dest := startNginx(t, "")
	addr, certificate := startNginxTLS(t, dest)
	_, port, _ := net.SplitHostPort(addr)
	s := startWith(t, []string{"SSL_CERT_FILE=" + certificate}, t.TempDir()) // the one CA it trusts
	twoCameras(t, s, map[string]any{"url": "rtmps://localhost:" + port + "/live", "key": "key-dest"})
	checkReceived(t, dest.onlyRecording(t))

	// The same server by an address that its certificate is not for.
	s.do("destination.update", map[string]any{"id": "dest", "url": "rtmps://127.0.0.1:" + port + "/live", "key": "key-dest"})
	s.do("destination.start", map[string]any{"id": "dest"})
	st := s.await(15*time.Second, "refused", func(st control.State) bool { return destination(st, "dest").State == relay.Refused })
	if why := destination(st, "dest").Reason; !strings.Contains(why, "certificate") {
		t.Errorf("reason %q", why)
	}
}
