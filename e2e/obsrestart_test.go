package e2e

import (
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"obvan/control"
)

// The studio starts before OBS, is killed on air, and finds everything as it left it.
func TestTheStudioIsKilledAndFindsOBSAsItWas(t *testing.T) {
	parallel(t, heavy)
	data, obsAt := t.TempDir(), freePort(t)
	flags := []string{"-mixer", "obs://" + obsAt, "-rtmp", freePort(t), "-play-rtsp", freePort(t)}
	s := startWith(t, obsEnv(), data, flags...)
	s.cameras("red", "green")
	s.do("program.backups", map[string]any{"feeds": []string{"green"}})
	s.await(5*time.Second, "the backup while OBS is not there", func(st control.State) bool {
		return st.Program.Level == "backup" && strings.Contains(st.Mixer.Problem, "is not responding") && strings.Contains(st.Program.Reason, "not connected")
	})
	_, port, _ := net.SplitHostPort(obsAt)
	o := startOBS(t, "--stock", "--port", port)
	s.await(10*time.Second, "OBS is connected", func(st control.State) bool { return st.Mixer.Connected })
	s.setUp(o, "red", "green")
	s.do("mixer.cut", map[string]any{"source": sceneOf("red")})
	s.prepare("Ada Lovelace", "Engineer")
	s.do("graphics.next", nil)
	asBefore := func(st control.State) bool {
		return st.Mixer.Program == sceneOf("red") && slices.Equal(st.Mixer.OnAir, []string{"red"}) && st.OBS.CanUndo && st.OBS.Since != nil &&
			st.Graphics.OnAir != nil && st.Graphics.OnAir.Confirmed && st.Graphics.OnAir.Text["name"] == "Ada Lovelace" && st.Graphics.OnAir.ID != ""
	}
	s.await(5*time.Second, "on air", asBefore)
	s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.ended

	began := time.Now()
	s = startWith(t, obsEnv(), data, flags...)
	s.await(10*time.Second, "all is known again", asBefore)
	t.Logf("killed and started again: OBS and the lower third are known after %v", time.Since(began).Round(time.Millisecond))
	s.await(20*time.Second, "OBS is the program again", func(st control.State) bool { return st.Program.Level == "mixer" })
	t.Logf("OBS is the program again after %v", time.Since(began).Round(time.Millisecond))
	s.do("output.stop", map[string]any{"output": "stream"})
	s.do("obs.undo", nil)
	s.await(10*time.Second, "OBS as it was", func(st control.State) bool {
		return len(st.Mixer.Sources) == 1 && st.Mixer.Graphic == nil && !st.OBS.CanUndo
	})
}
