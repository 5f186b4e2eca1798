package graphics

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"testing"
)

func FuzzReadLogo(f *testing.F) {
	var a, b bytes.Buffer
	small := image.NewGray(image.Rect(0, 0, 4, 2))
	if err := png.Encode(&a, small); err != nil {
		f.Fatal(err)
	}
	if err := jpeg.Encode(&b, small, nil); err != nil {
		f.Fatal(err)
	}
	f.Add(a.Bytes())
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		size, _, err := image.DecodeConfig(bytes.NewReader(content))
		if err == nil && size.Width*size.Height > 1<<14 {
			return // large ones only take longer
		}
		img, err := readLogo(bytes.NewReader(content))
		if err != nil {
			return
		}
		if got := img.Bounds(); got.Min != (image.Point{}) || got.Dx() != size.Width || got.Dy() != size.Height {
			t.Fatalf("%v of %dx%d", got, size.Width, size.Height)
		}
	})
}
