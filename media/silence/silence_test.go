package silence_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/silence"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestFFmpegDecodesSilentAACInEveryChannelConfiguration(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	for config, channels := range []int{0, 1, 2, 3, 4, 5, 6, 8} {
		if channels == 0 {
			continue
		}
		t.Run(fmt.Sprint(channels, " channels"), func(t *testing.T) {
			asc := []byte{0x11, 0x80 | byte(config)<<3} // AAC-LC, 48 kHz
			frame := silence.Frame(&media.Track{Codec: media.AAC, Config: asc})
			if again := silence.Frame(&media.Track{Codec: media.AAC, Channels: channels}); !bytes.Equal(frame, again) {
				t.Fatalf("by channels %x, by configuration %x", again, frame)
			}
			var adts bytes.Buffer
			for range 50 {
				adts.Write(header(config, len(frame)))
				adts.Write(frame)
			}
			file := filepath.Join(t.TempDir(), "silence.aac")
			if err := os.WriteFile(file, adts.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(ffmpeg, "-v", "error", "-xerror", "-i", file, "-f", "s16le", "-")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			pcm, err := cmd.Output()
			if err != nil || stderr.Len() > 0 {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			if len(pcm) != 50*1024*channels*2 || len(bytes.Trim(pcm, "\x00")) > 0 {
				t.Fatalf("%d bytes of PCM, want %d of silence", len(pcm), 50*1024*channels*2)
			}
		})
	}
}

// header is an ADTS header (ISO/IEC 14496-3, 1.A.2.2): AAC-LC, 48 kHz, no CRC.
func header(config, length int) []byte {
	n := length + 7
	return []byte{
		0xff, 0xf1, 1<<6 | 3<<2 | byte(config>>2), byte(config&3)<<6 | byte(n>>11),
		byte(n >> 3), byte(n&7)<<5 | 0x1f, 0xfc,
	}
}

func TestSilenceIsMadeForOpusAndNotForVideo(t *testing.T) {
	if got := silence.Frame(&media.Track{Codec: media.Opus, Channels: 2}); !bytes.Equal(got, []byte{0xf8, 0xff, 0xfe}) {
		t.Errorf("opus = %x", got)
	}
	if got := silence.Frame(&media.Track{Codec: media.H264}); got != nil {
		t.Errorf("for video = %x", got)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{0x11, 0x90}, 2)
	f.Add([]byte{0xf8}, 0)
	f.Add([]byte{0x17, 0x80, 0, 0, 0}, -1)
	f.Fuzz(func(t *testing.T, config []byte, channels int) {
		if len(silence.Frame(&media.Track{Codec: media.AAC, Config: config, Channels: channels})) == 0 {
			t.Fatal("no frame")
		}
	})
}
