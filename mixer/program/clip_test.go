package program_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
)

// clip is a real stream made by ffmpeg, to be played in a loop.
type clip struct {
	tracks media.Tracks
	units  []media.AccessUnit
	length time.Duration
}

// encodeClip makes eight seconds of a solid color, with x264 options, and with audio
// when audio has options.
func encodeClip(t *testing.T, color, frame, x264 string, audio ...string) clip {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.flv")
	args := []string{"-v", "error", "-f", "lavfi", "-i", "color=" + color + ":" + frame + ",format=yuv420p,noise=c0s=6:c0f=t"}
	if len(audio) > 0 {
		args = append(args, "-f", "lavfi", "-i", "sine=frequency=440", "-c:a", "aac")
		args = append(args, audio...)
	}
	args = append(args, "-t", "8", "-c:v", "libx264", "-threads", "1", "-x264-params", "scenecut=0:"+x264, file)
	if out, err := exec.Command(testkit.Tool(t, "ffmpeg"), args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, data)
}

// parse reads as much of FLV as ffmpeg writes.
func parse(t *testing.T, data []byte) (c clip) {
	t.Helper()
	audio, first := -1, time.Duration(-1)
	for data = data[13:]; len(data) > 11; {
		kind, size := data[0], int(data[1])<<16|int(data[2])<<8|int(data[3])
		at := time.Duration(binary.BigEndian.Uint32([]byte{data[7], data[4], data[5], data[6]})) * time.Millisecond
		body := data[11 : 11+size]
		data = data[11+size+4:]
		switch {
		case kind == 9 && body[1] == 0:
			sps, pps, err := media.H264ParameterSets(body[5:])
			if err != nil {
				t.Fatal(err)
			}
			track, err := media.H264Track(sps[0], pps[0])
			if err != nil {
				t.Fatal(err)
			}
			c.tracks = append(media.Tracks{track}, c.tracks...)
		case kind == 9 && body[1] == 1:
			late := time.Duration(int32(uint32(body[2])<<24|uint32(body[3])<<16|uint32(body[4])<<8)>>8) * time.Millisecond
			c.units = append(c.units, media.AccessUnit{DTS: at, PTS: at + late, Key: body[0]>>4 == 1, Disposable: disposable(body[5:]), Data: body[5:]})
			if first < 0 {
				first = at
			}
			c.length = at - first
		case kind == 8 && body[1] == 0:
			rate := map[byte]int{3: 48000, 4: 44100}[body[2]&7<<1|body[3]>>7]
			c.tracks = append(c.tracks, media.Track{Codec: media.AAC, Config: body[2:], SampleRate: rate, Channels: int(body[3] >> 3 & 15)})
			audio = 1
		case kind == 8:
			c.units = append(c.units, media.AccessUnit{Track: audio, DTS: at, PTS: at, Key: true, Data: body[2:]})
		}
	}
	c.length += time.Duration(float64(time.Second) / c.tracks[0].FrameRate)
	return c
}

func disposable(data []byte) bool {
	for len(data) > 4 {
		n := 4 + int(binary.BigEndian.Uint32(data))
		if data[4]&0x1f == 1 {
			return data[4]&0x60 == 0
		}
		data = data[n:]
	}
	return false
}

// play writes the clip over and over in real time until stop closes.
func (c *clip) play(h *hub.Hub, name string, stop <-chan struct{}) {
	pub, err := h.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		panic(err)
	}
	defer pub.Close()
	pub.SetTracks(c.tracks)
	begin := time.Now()
	for round := time.Duration(0); ; round += c.length {
		for _, au := range c.units {
			au.DTS += round
			au.PTS += round
			select {
			case <-stop:
				return
			case <-time.After(time.Until(begin.Add(au.DTS))):
			}
			pub.Write(au)
		}
	}
}

// flvFile is the program as an FLV file.
func flvFile(units []unit) []byte {
	var out bytes.Buffer
	out.WriteString("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00")
	tag := func(kind byte, at time.Duration, head, body []byte) {
		n, ms := len(head)+len(body), uint32(at.Milliseconds())
		out.Write([]byte{kind, byte(n >> 16), byte(n >> 8), byte(n), byte(ms >> 16), byte(ms >> 8), byte(ms), byte(ms >> 24), 0, 0, 0})
		out.Write(head)
		out.Write(body)
		out.Write(binary.BigEndian.AppendUint32(nil, uint32(n+11)))
	}
	var now *media.Tracks
	for _, u := range units {
		if u.Tracks != now {
			now = u.Tracks
			tag(9, u.DTS, []byte{0x17, 0, 0, 0, 0}, (*now)[0].Config)
			tag(8, u.DTS, []byte{0xaf, 0}, (*now)[1].Config)
		}
		if !u.Video() {
			tag(8, u.DTS, []byte{0xaf, 1}, u.Data)
			continue
		}
		head := byte(0x27)
		if u.Key {
			// ffmpeg's parser, unlike its decoder, does not look at a new header: it
			// needs the parameter sets in band.
			head = 0x17
			u.Data = append(parameterSets((*now)[0].Config), u.Data...)
		}
		late := u.PTS.Milliseconds() - u.DTS.Milliseconds()
		tag(9, u.DTS, []byte{head, 1, byte(late >> 16), byte(late >> 8), byte(late)}, u.Data)
	}
	return out.Bytes()
}

// parameterSets is the parameter sets of the configuration, length-prefixed.
func parameterSets(config []byte) (out []byte) {
	sps, pps, _ := media.H264ParameterSets(config)
	for _, set := range append(sps, pps...) {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(set))), set...)
	}
	return out
}
