package e2e

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"obvan/control"
	"obvan/media/rtmp"
	"obvan/media/rtmp/rtmptest"
	"obvan/relay"
)

// Cameras with broken clocks. Each video and audio frame carries its number in a message
// that decoders ignore, so the offset between them at a destination is known exactly.

// marked precedes a number; none of its bytes can look like a start code.
var marked = []byte("obvan e2e number")

// number marks a unit as the n-th.
func number(video bool, n int, data []byte) []byte {
	id := append(bytes.Clone(marked), 0x80|byte(n>>14), 0x80|byte(n>>7&0x7f), 0x80|byte(n&0x7f), 0x80)
	if !video { // a data_stream_element, which ends at a whole byte (ISO/IEC 14496-3, table 4.10)
		return slices.Concat([]byte{0x81, byte(len(id))}, id, data)
	}
	// user_data_unregistered (H.264, D.1.7): the mark is its uuid
	sei := slices.Concat([]byte{0x06, 0x05, byte(len(id))}, id, []byte{0x80})
	return slices.Concat([]byte{0, 0, 0, byte(len(sei))}, sei, data)
}

// numberOf is a unit's number, -1 for one that the server made.
func numberOf(data []byte) int {
	at := bytes.Index(data, marked)
	if at < 0 || at+len(marked)+3 > len(data) {
		return -1
	}
	id := data[at+len(marked):]
	return int(id[0]&0x7f)<<14 | int(id[1]&0x7f)<<7 | int(id[2]&0x7f)
}

// unit is a tag of a camera: when it was captured and is sent, and what its clock says.
type unit struct {
	tag
	n    int
	made time.Duration // of a video frame, when it is to be shown
	due  time.Duration
}

// makeClip encodes some seconds of a camera whose clock is right, with audio and with the
// given x264 options.
func makeClip(t testing.TB, seconds int, x264 string) (all []unit) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.flv")
	p := run(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30", "-f", "lavfi", "-i", "sine=1000:r=48000",
		"-t", fmt.Sprint(seconds), "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "1", "-b_strategy", "0",
		"-x264-params", "keyint=30:min-keyint=30:scenecut=0:"+x264, "-c:a", "aac", "-ac", "2", path)
	<-p.ended
	counts := map[bool]int{}
	for _, g := range readFLV(t, path) {
		s := unit{tag: g, n: counts[g.video], made: g.pts, due: g.dts}
		if !g.config {
			counts[g.video]++
			s.data = number(g.video, s.n, g.data)
		}
		all = append(all, s)
	}
	if counts[true] < 30*seconds || counts[false] < 46*seconds {
		t.Fatalf("%d video and %d audio frames in %d s", counts[true], counts[false], seconds)
	}
	return all
}

// publish sends a clip to the studio in real time, until it or the test ends.
func (s *studio) publish(feed string, all []unit) (ended func()) {
	s.t.Helper()
	c := rtmptest.Dial(s.t, s.listen["rtmp"])
	c.Connect("live")
	if code, text := c.Publish(feed); code != "NetStream.Publish.Start" {
		s.t.Fatalf("%s: %s", code, text)
	}
	var sending sync.WaitGroup
	began := time.Now()
	sending.Go(func() {
		for _, u := range all {
			pause(s.t, time.Until(began.Add(u.due)))
			kind, head := rtmp.TypeAudio, []byte{0xaf, 1}
			if u.video { // Adobe FLV 10.1, E.4.3.1
				late := (u.pts - u.dts).Milliseconds()
				kind, head = rtmp.TypeVideo, []byte{0x27, 1, byte(late >> 16), byte(late >> 8), byte(late)}
				if u.key {
					head[0] = 0x17
				}
			}
			if u.config {
				head[1] = 0
			}
			c.Media(kind, uint32(u.dts.Milliseconds()), append(head, u.data...))
		}
	})
	return sending.Wait
}

// stretch is a part of a clip that has to be in sync at the destination.
type stretch struct {
	name     string
	from, to time.Duration
}

// checkAudioOffset returns how far audio is behind video at the destination, at worst, in a
// stretch of the clip, and fails the test when that is more than 40 ms.
func checkAudioOffset(t testing.TB, sent []unit, got []tag, in stretch) (worst time.Duration) {
	t.Helper()
	type name struct {
		video bool
		n     int
	}
	made := map[name]time.Duration{}
	for _, u := range sent {
		if !u.config {
			made[name{u.video, u.n}] = u.made
		}
	}
	type moment struct{ made, late time.Duration }
	var frames, audio []moment
	for _, g := range got {
		at, known := made[name{g.video, numberOf(g.data)}]
		m := moment{at, g.pts - at}
		switch {
		case g.config || !known || at < in.from || at >= in.to:
		case g.video:
			frames = append(frames, m)
		default:
			audio = append(audio, m)
		}
	}
	if want := int((in.to - in.from).Seconds() * 30); len(frames) < want-2 || len(audio) < want*46875/30000-3 {
		t.Errorf("%s: %d video and %d audio frames in %v", in.name, len(frames), len(audio), in.to-in.from)
	}
	for _, s := range audio {
		best := slices.MinFunc(frames, func(a, b moment) int { return int((a.made - s.made).Abs() - (b.made - s.made).Abs()) })
		if off := s.late - best.late; off.Abs() > worst.Abs() {
			worst = off
		}
	}
	t.Logf("%s: audio %v behind video at worst", in.name, worst)
	if worst.Abs() > 40*time.Millisecond {
		t.Errorf("%s: audio is %v behind video", in.name, worst)
	}
	return worst
}

// publishOnAir has nginx record the program, then publishes clips and cuts to the first. A
// camera without audio is on air before, however long it takes until nginx records.
func (s *studio) publishOnAir(clips map[string][]unit, first string) (dest *nginx, ended func()) {
	s.t.Helper()
	camera{colour: "red", size: "320x180"}.send(s.t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/lead")
	s.live(10*time.Second, "lead")
	s.cut("lead")
	dest = startNginx(s.t, "")
	s.sendTo(map[string]*nginx{"dest": dest})
	began := time.Now()
	var ends []func()
	for name, all := range clips {
		ends = append(ends, s.publish(name, all))
	}
	s.live(5*time.Second, first)
	s.cut(first)
	if took := time.Since(began); took > settled {
		s.t.Fatalf("the first clip is on air only after %v", took)
	}
	return dest, func() {
		for _, end := range ends {
			end()
		}
	}
}

const (
	settled       = 5 * time.Second // of a clip: it is on air by then
	distortedFrom = 7 * time.Second // of a clip: its clock is right until then
)

// checkRecording returns what arrived at the destination, which must be whole and have
// arrived over a single connection.
func (s *studio) checkRecording(dest *nginx) []tag {
	s.t.Helper()
	if d := destination(s.state(), "dest"); d.Attempt > 1 || d.State != relay.Live {
		s.t.Errorf("%s, attempt %d: %s", d.State, d.Attempt, d.Reason)
	}
	s.do("destination.stop", map[string]any{"id": "dest"})
	path := dest.onlyRecording(s.t)
	decodeFrames(s.t, path)
	decodeBeeps(s.t, path)
	tags := readFLV(s.t, path)
	line := checkTimeline(s.t, tags, time.Second)
	s.t.Logf("%v", line)
	if len(line.gaps) > 0 {
		s.t.Errorf("gaps between frames: %v", line.gaps)
	}
	return tags
}

// checkOrder fails the test where a frame of a clip is missing. Before it is settled, a cut
// in the middle of a GOP leaves out what no other frame refers to.
func checkOrder(t testing.TB, tags []tag) {
	t.Helper()
	last := -1
	for _, g := range pick(tags, true) {
		n := numberOf(g.data)
		if last >= int(settled/period) && n != last+1 {
			t.Errorf("frame %d follows frame %d", n, last)
		}
		last = n
	}
}

// corrections is what the state reports as corrected for the feed.
func (s *studio) corrections(feed string) map[string]uint64 {
	s.t.Helper()
	for _, f := range s.state().Feeds {
		if f.ID == feed {
			s.t.Logf("corrections: %v", f.Corrections)
			return f.Corrections
		}
	}
	s.t.Errorf("%s is not in the state", feed)
	return nil
}

// brokenCase is a camera, what is wrong with it, and what has to be counted.
type brokenCase struct {
	name      string
	x264      string
	seconds   int
	distort   func(u *unit)
	inSync    []stretch
	corrected []string
}

func brokenCases() []brokenCase {
	const second = time.Second
	return []brokenCase{
		{"a clock that wraps, jumps forward, jumps back and restarts", "bframes=0", 17, jumpingClock, []stretch{
			{"before", settled, distortedFrom}, {"wrapped at 32 bits", 9 * second, 10 * second}, {"two hours ahead", 11 * second, 12 * second},
			{"twenty minutes back", 13 * second, 14 * second}, {"from zero", 15 * second, 17 * second},
		}, []string{"jumps"}},
		{"decode times that repeat, that are too late for the reordering, and that follow presentation times", "bframes=3:b-pyramid=normal:ref=3", 17, badDecodeTimes, []stretch{
			{"before", settled, distortedFrom}, {"doubled times", distortedFrom, 10 * second}, {"reordered deeper than promised", 11 * second, 13 * second},
			{"shown before decoded", 14 * second, 17 * second},
		}, []string{"backwards", "composition"}},
		{"audio that drifts away from video", "bframes=0", 22, func(u *unit) {
			if !u.video { // a sound card that is slow by half a percent; its samples are counted
				u.due += u.due / 200
				u.made = u.due
			}
		}, []stretch{{"corrected", 14 * second, 21 * second}}, []string{"drift"}},
	}
}

// leaps is a clock that does not stay where it was.
func jumpingClock(u *unit) {
	const hour = time.Hour
	var by time.Duration
	switch at := u.due; {
	case at < 10*time.Second: // it wraps after eight seconds
		by = (1<<32)*time.Millisecond - 8*time.Second
	case at < 12*time.Second:
		by = 2 * hour
	case at < 14*time.Second:
		by = 2*hour - 20*time.Minute
	default:
		by = -14 * time.Second
	}
	u.dts, u.pts = u.dts+by, u.pts+by
}

// disorder is decode times that can't be right.
func badDecodeTimes(u *unit) {
	switch at := u.due; {
	case u.config || at < distortedFrom:
	case at < 10*time.Second:
		if u.n%4 == 3 { // that of the unit before
			period := 1024 * time.Second / 48000
			if u.video {
				period = time.Second / 30
			}
			u.dts, u.pts = u.dts-period, u.pts-period
		}
	case at < 13*time.Second:
		if u.video {
			u.dts += 33 * time.Millisecond
		}
	case u.video:
		u.dts += 66 * time.Millisecond
	}
}

func TestCamerasWithBrokenClocksStayInSync(t *testing.T) {
	for _, c := range brokenCases() {
		t.Run(c.name, func(t *testing.T) {
			parallel(t, light)
			s := start(t)
			all := makeClip(t, c.seconds, c.x264)
			for i := range all {
				c.distort(&all[i])
			}
			slices.SortStableFunc(all, func(a, b unit) int { return int(a.due - b.due) })
			dest, ended := s.publishOnAir(map[string][]unit{"cam": all}, "cam")
			ended()
			if warnings := s.state().Program.Warnings; len(warnings) > 0 {
				t.Errorf("video that moves: %q", warnings)
			}
			corrections := s.corrections("cam")
			for _, kind := range c.corrected {
				if corrections[kind] == 0 {
					t.Errorf("%s were not counted", kind)
				}
			}
			delete(corrections, "drift") // these decode times may look like it on a busy machine
			for kind := range corrections {
				if !slices.Contains(c.corrected, kind) {
					t.Errorf("corrections: %v", corrections)
				}
			}
			tags := s.checkRecording(dest)
			checkOrder(t, tags)
			for _, part := range c.inSync {
				checkAudioOffset(t, all, tags, part)
			}
		})
	}
}

// The camera without audio goes out with silence.
func TestACameraWithoutAudioAndOneWhoseAudioPauses(t *testing.T) {
	parallel(t, light)
	s := start(t)
	all := makeClip(t, 12, "bframes=0")
	mute := slices.DeleteFunc(slices.Clone(all), func(u unit) bool { return !u.video })
	all = slices.DeleteFunc(all, func(u unit) bool {
		return !u.video && u.dts > distortedFrom && u.dts < distortedFrom+1500*time.Millisecond
	})
	dest, ended := s.publishOnAir(map[string][]unit{"mute": mute, "cam": all}, "mute")
	s.await(time.Second, "the missing audio is reported", func(st control.State) bool {
		return slices.ContainsFunc(st.Feeds, func(f control.Feed) bool { return f.ID == "mute" && slices.Contains(f.Notes, "no audio") })
	})
	pause(t, time.Second)
	s.cut("cam")
	ended()
	if corrections := s.corrections("cam"); len(corrections) > 0 {
		t.Errorf("corrections: %v", corrections)
	}
	tags := s.checkRecording(dest)
	checkAudioOffset(t, all, tags, stretch{"after the pause", 9 * time.Second, 12 * time.Second})
	frames := pick(tags, false)
	silent := slices.IndexFunc(frames, func(g tag) bool { return numberOf(g.data) >= 0 })
	if silent < 40 {
		t.Errorf("%d frames of silence before the first of audio, of %d", silent, len(frames))
	}
}
