package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"obvan/control"
	"obvan/internal/testkit"
)

func TestPlayersPlayFeedsAndProgramAndCannotPublish(t *testing.T) {
	parallel(t, light)
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1", "cam2")
	s.await(5*time.Second, "a program", func(st control.State) bool { return st.Program.OnAir != "" })
	ffmpeg := testkit.Tool(t, "ffmpeg")
	for _, address := range []string{
		"rtsp://" + s.listen["play-rtsp"] + "/cam2", "rtsp://" + s.listen["play-rtsp"] + "/live/program",
		"rtmp://" + s.listen["play-rtmp"] + "/live/cam2", "rtmp://" + s.listen["play-rtmp"] + "/live/program",
	} {
		args := []string{"-v", "error"}
		if strings.HasPrefix(address, "rtsp") {
			args = append(args, "-rtsp_transport", "tcp")
		}
		began := time.Now()
		out, err := exec.Command(ffmpeg, append(args, "-i", address, "-frames:v", "30", "-c:a", "pcm_s16le", "-f", "null", "-")...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", address, err, out)
		}
		t.Logf("%s: 30 frames after %v", address, time.Since(began).Round(time.Millisecond))
	}
	for format, address := range map[string]string{"flv": "rtmp://" + s.listen["play-rtmp"] + "/live/intruder", "rtsp": "rtsp://" + s.listen["play-rtsp"] + "/intruder"} {
		intruder := camera{colour: "red"}.send(t, format, address)
		testkit.Eventually(t, 15*time.Second, func() bool {
			select {
			case <-intruder.ended:
				return true
			default:
				return false
			}
		}, "a publisher is refused by %s", address)
	}
	for _, f := range s.state().Feeds {
		if f.ID == "intruder" {
			t.Error("a publisher was accepted")
		}
	}
}
