package transcode

import (
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
)

func FuzzAAC(f *testing.F) {
	for _, name := range []string{"lc48.aac", "lc44mono.aac"} {
		track, frames := clip(f, name)
		f.Add(track.Config, frames[20].Data, frames[21].Data)
	}
	f.Add([]byte{0x2b, 0x11, 0x88, 0x00}, []byte{1}, []byte{})
	f.Fuzz(func(t *testing.T, config, a, b []byte) {
		began := time.Now()
		defer func() {
			if d := time.Since(began); d > testkit.Allow(5*time.Second) {
				t.Errorf("five frames took %v", d)
			}
		}()
		tr, err := New(&media.Track{Codec: media.AAC, Config: config}, "", func(media.AccessUnit) {})
		if err != nil {
			return
		}
		defer tr.Close()
		for n, data := range [][]byte{a, b, a, b, b} {
			if err := tr.Write(&media.AccessUnit{PTS: time.Duration(n) * 21 * time.Millisecond, Data: data}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkTranscode(b *testing.B) {
	for _, name := range []string{"lc48.aac", "lc44.aac"} {
		b.Run(name, func(b *testing.B) {
			track, frames := clip(b, name)
			tr, err := New(&track, "", func(media.AccessUnit) {})
			if err != nil {
				b.Fatal(err)
			}
			defer tr.Close()
			b.ReportAllocs()
			began := time.Now()
			n := 0
			for b.Loop() {
				au := frames[n%len(frames)]
				au.PTS = time.Duration(n) * 1024 * time.Second / time.Duration(track.SampleRate)
				if err := tr.Write(&au); err != nil {
					b.Fatal(err)
				}
				n++
			}
			played := time.Duration(n) * 1024 * time.Second / time.Duration(track.SampleRate)
			b.ReportMetric(100*time.Since(began).Seconds()/played.Seconds(), "%core")
		})
	}
}
