package program_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/program"
)

// TestFFmpegDecodesCutsAndFreezesOfRealStreamsWithoutAnError cuts between streams of
// different format, size, rate and audio, stops the one on air a few times, and has
// ffmpeg decode what the program wrote. The colors prove the cuts.
func TestFFmpegDecodesCutsAndFreezesOfRealStreamsWithoutAnError(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	clips := map[string]clip{
		"red":   encodeClip(t, "red", "s=320x180:r=30", "cabac=1:bframes=0:keyint=60:ref=3", "-ar", "48000", "-ac", "2"),
		"green": encodeClip(t, "lime", "s=320x180:r=25", "profile=baseline:cabac=0:bframes=0:keyint=50:ref=1", "-ar", "44100", "-ac", "1"),
		"blue":  encodeClip(t, "blue", "s=640x360:r=30", "cabac=1:bframes=3:b-adapt=0:b-pyramid=normal:keyint=60:ref=4"),
	}
	var units []unit
	synctest.Test(t, func(t *testing.T) { units = runShow(t, clips) })
	found := checkSeamless(t, units)
	if found.maxGap > 45*time.Millisecond {
		t.Errorf("a gap of %v", found.maxGap)
	}
	t.Logf("%+v", found)
	reformatted := 0
	for i := 1; i < len(units); i++ {
		u := units[i]
		if !u.Video() || bytes.Equal(u.Info().Config, (*units[i-1].Tracks)[u.Track].Config) {
			continue
		}
		reformatted++
		if u.Data[4]&0x1f != 7 {
			t.Errorf("at %v the format changes, and the keyframe has no parameter sets", u.DTS)
		}
	}
	if reformatted == 0 {
		t.Error("the format never changed")
	}

	file := filepath.Join(t.TempDir(), "program.flv")
	if err := os.WriteFile(file, flvFile(units), 0o600); err != nil {
		t.Fatal(err)
	}
	pixels := decode(t, ffmpeg, "-i", file, "-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-vf", "scale=16:16,setsar=1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
	const size = 16 * 16 * 3
	if len(pixels) != size*found.frames {
		t.Fatalf("%d frames decoded of %d", len(pixels)/size, found.frames)
	}
	wrong := 0
	shown := byDisplay(units)
	for i, u := range shown {
		if got, want := color(pixels[size*i:]), cameraOf(clips, u); got != want {
			wrong++
			t.Logf("frame %d at %v is %s, not %s", i, u.PTS, got, want)
		}
	}
	if wrong > 0 {
		t.Errorf("%d frames of %d are of the wrong camera", wrong, len(shown))
	}
	audio := decode(t, ffmpeg, "-i", file, "-map", "0:a", "-ar", "48000", "-ac", "2", "-f", "s16le", "-")
	length := time.Duration(len(audio)/4) * time.Second / 48000
	if want := units[len(units)-1].DTS; (length - want).Abs() > 200*time.Millisecond {
		t.Errorf("%v of audio for %v of program", length, want)
	}
}

// TestACutAwayFromALateCameraLeavesNoGap cuts from a camera whose frames stopped a
// moment ago, too short to fail over.
func TestACutAwayFromALateCameraLeavesNoGap(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	red := encodeClip(t, "red", "s=320x180:r=30", "cabac=1:bframes=0:keyint=60:ref=3")
	blue := encodeClip(t, "blue", "s=640x360:r=30", "cabac=1:bframes=3:b-adapt=0:b-pyramid=normal:keyint=60:ref=4")
	var units []unit
	synctest.Test(t, func(t *testing.T) {
		s := newStudio(t)
		stop := make(chan struct{})
		go blue.play(s.hub, "blue", stop)
		pub, err := s.hub.Publish("red", hub.Origin{Proto: "test"})
		if err != nil {
			t.Fatal(err)
		}
		pub.SetTracks(red.tracks)
		s.Follow("red", mixer.Instant)
		for n, au := range red.units[:60] {
			time.Sleep(time.Second / 30)
			if n >= 30 { // it stalls, and its clock goes on
				au.DTS, au.PTS = au.DTS+400*time.Millisecond, au.PTS+400*time.Millisecond
			}
			if n == 30 {
				time.Sleep(400 * time.Millisecond)
			}
			pub.Write(au)
		}
		time.Sleep(400 * time.Millisecond)
		s.Follow("blue", mixer.Instant)
		time.Sleep(time.Second)
		synctest.Wait()
		if on, _ := s.OnAir(); on != "blue" {
			t.Fatalf("%q is on air", on)
		}
		close(stop)
		pub.Close()
		synctest.Wait()
		units = s.written(0)
	})
	late := 0 // it was the camera's own gap: it stays
	for i, last := 0, time.Duration(-1); i < len(units); i++ {
		if !units[i].Video() {
			continue
		}
		if last >= 0 && units[i].DTS-last > 45*time.Millisecond {
			late++
			t.Logf("a gap of %v at %v", units[i].DTS-last, last)
		}
		last = units[i].DTS
	}
	if late > 1 {
		t.Errorf("%d gaps, one was the camera's", late)
	}
	file := filepath.Join(t.TempDir(), "program.flv")
	if err := os.WriteFile(file, flvFile(units), 0o600); err != nil {
		t.Fatal(err)
	}
	decode(t, ffmpeg, "-i", file, "-map", "0:v", "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "rawvideo", "-")
}

// runShow is a show of some minutes: cuts, and cameras that disconnect and reconnect.
func runShow(t *testing.T, clips map[string]clip) []unit {
	s := newStudio(t)
	random := newRand(t)
	stops := map[string]chan struct{}{}
	start := func(name string) {
		c, stop := clips[name], make(chan struct{})
		stops[name] = stop
		go c.play(s.hub, name, stop)
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
	}
	names := []string{"red", "green", "blue"}
	for _, name := range names {
		start(name)
	}
	for n := range 60 {
		name := names[random.IntN(len(names))]
		s.Follow(name, mixer.Instant)
		time.Sleep(50*time.Millisecond + time.Duration(random.IntN(1500))*time.Millisecond)
		if n%10 != 9 {
			continue
		}
		close(stops[name])
		time.Sleep(9 * time.Second) // two keyframes of the freeze frame
		synctest.Wait()
		if st := s.State(); st.Level != program.LevelFreeze {
			t.Fatalf("state = %+v", st)
		}
		start(name)
		time.Sleep(time.Second)
	}
	for _, stop := range stops {
		close(stop)
	}
	time.Sleep(2 * time.Second)
	synctest.Wait()
	return s.written(0)
}

// decode runs ffmpeg; a single word of complaint fails the test.
func decode(t *testing.T, ffmpeg string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(ffmpeg, append([]string{"-v", "warning", "-err_detect", "explode", "-xerror"}, args...)...)
	var output bytes.Buffer
	cmd.Stderr = &output
	out, err := cmd.Output()
	if err != nil || output.Len() > 0 {
		t.Fatalf("%v: %s", err, output.String())
	}
	return out
}

// byDisplay is the frames in presentation order.
func byDisplay(units []unit) []unit {
	var shown []unit
	for _, u := range units {
		if u.Video() {
			i := len(shown)
			for i > 0 && shown[i-1].PTS > u.PTS {
				i--
			}
			shown = append(shown[:i], append([]unit{u}, shown[i:]...)...)
		}
	}
	return shown
}

func cameraOf(clips map[string]clip, u unit) string {
	for name, c := range clips {
		if bytes.Equal(c.tracks[0].Config, (*u.Tracks)[0].Config) {
			return name
		}
	}
	return "unknown"
}

func color(rgb []byte) string {
	for i, name := range []string{"red", "green", "blue"} {
		if rgb[i] > 128 && rgb[(i+1)%3] < 100 && rgb[(i+2)%3] < 100 {
			return name
		}
	}
	return "none"
}
