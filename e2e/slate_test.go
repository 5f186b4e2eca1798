package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"obvan/control"
	"obvan/internal/testkit"
	"obvan/relay"
)

// put uploads a file to clips/NAME or logos/NAME.
func (s *studio) put(path string, content []byte) {
	s.t.Helper()
	resp, err := s.request("PUT", "/api/v1/"+path, content)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %s", resp.Status, answer)
	}
}

func still(t testing.TB, c color.Color) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 1600, 900))
	draw.Draw(img, img.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheSlateTakesOverWhenTheCameraIsLost(t *testing.T) {
	parallel(t, light)
	testkit.Tool(t, "ffmpeg")
	s := start(t)
	cam := camera{colour: "red", tone: 1000}
	url := "rtmp://" + s.listen["rtmp"] + "/live/cam"
	ffmpeg := cam.send(t, "flv", url)
	s.live(10*time.Second, "cam")
	s.cut("cam")
	began := time.Now()
	s.put("clips/slate", still(t, color.RGBA{B: 255, A: 255}))
	t.Logf("uploaded and converted in %v", time.Since(began))
	s.do("feed.add", map[string]any{"id": "slate", "name": "Slate", "url": "clip://slate"})
	s.live(5*time.Second, "slate")
	s.do("program.backups", map[string]any{"feeds": []string{"absent", "slate"}})
	dest := startNginx(t, "")
	s.sendTo(map[string]*nginx{"a": dest})
	pause(t, 3*time.Second)

	killed := time.Now()
	ffmpeg.kill()
	s.await(time.Second, "the slate is on air", func(st control.State) bool { return st.Program.OnAir == "slate" && st.Program.Level == "backup" })
	t.Logf("slate on air after %v", time.Since(killed))
	pause(t, 10*time.Second) // two loops of the slate
	cam.send(t, "flv", url)
	s.await(10*time.Second, "it fails back automatically", func(st control.State) bool { return st.Program.OnAir == "cam" && st.Program.Level == "mixer" })
	pause(t, 3*time.Second)
	if d := destination(s.state(), "a"); d.Attempt > 1 || d.State != relay.Live {
		t.Errorf("%s, attempt %d: %s", d.State, d.Attempt, d.Reason)
	}
	s.do("destination.stop", map[string]any{"id": "a"})
	path := dest.onlyRecording(t)
	line := checkTimeline(t, readFLV(t, path), time.Second)
	if len(line.gaps) > 0 {
		t.Errorf("gaps %v", line.gaps)
	}
	var colours []string
	for _, p := range decodeFrames(t, path) {
		if len(colours) == 0 || colours[len(colours)-1] != p.colour {
			colours = append(colours, p.colour)
		}
	}
	if !slices.Equal(colours, []string{"red", "blue", "red"}) {
		t.Errorf("colours on air: %v", colours)
	}
	t.Logf("%v", line)
}
