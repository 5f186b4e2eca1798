package e2e

import (
	"strings"
	"testing"
	"time"

	"obvan/control"
	"obvan/relay"
)

func TestADestinationSendsToPrimaryAndBackupTogether(t *testing.T) {
	parallel(t, light)
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1")
	s.cut("cam1")
	primary, backup := startNginx(t, ""), startNginx(t, "")
	s.do("destination.add", map[string]any{"id": "yt", "name": "YouTube", "url": primary.url(), "backupUrl": backup.url(), "key": "one-key"})
	s.do("destination.start", map[string]any{"id": "yt"})
	s.destinationLive(15*time.Second, "yt")
	if n := len(backup.recordings(t)); n != 0 {
		t.Errorf("%d recordings at the backup, which is not in use yet", n)
	}
	s.do("destination.update", map[string]any{"id": "yt", "sendToBoth": true}) // on air
	both := func(st control.State) bool {
		d := destination(st, "yt")
		return d.State == relay.Live && d.Reason == "" && len(backup.recordings(t)) > 0
	}
	s.await(15*time.Second, "live at both", both)
	pause(t, 2*time.Second)

	backup.kill()
	st := s.await(10*time.Second, "the loss of the backup is reported", func(st control.State) bool {
		return strings.HasPrefix(destination(st, "yt").Reason, "YouTube: the backup is not live: ")
	})
	if d := destination(st, "yt"); d.State != relay.Live || d.Backup {
		t.Errorf("%+v", d)
	}
	backup.restart(t, "")
	s.do("destination.retry", map[string]any{"id": "yt"})
	s.await(15*time.Second, "live at both again", both)
	s.do("destination.stop", map[string]any{"id": "yt"})
	s.await(5*time.Second, "off", func(st control.State) bool { return destination(st, "yt").State == relay.Off })
	if line := checkTimeline(t, readFLV(t, primary.onlyRecording(t)), longestPeriod); len(line.gaps) > 0 {
		t.Errorf("the primary misses frames: %v", line.gaps)
	}
	if n := len(backup.recordings(t)); n != 2 {
		t.Errorf("%d recordings at the backup", n)
	}
}
