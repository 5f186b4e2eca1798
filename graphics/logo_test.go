package graphics_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"obvan/graphics"
)

// red is a small image.
func red() image.Image {
	img := image.NewPaletted(image.Rect(3, 5, 43, 25), color.Palette{color.NRGBA{R: 255, A: 255}, color.Transparent})
	img.SetColorIndex(3, 5, 1)
	return img
}

func encoded(t testing.TB, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func redPNG(t testing.TB) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, red()) })
}

func TestALogoIsDecodedAndEncodedAgain(t *testing.T) {
	logos := graphics.NewLogos(filepath.Join(t.TempDir(), "logos"))
	upload := redPNG(t)
	text := append([]byte{0, 0, 0, 9}, "tEXta\x00<script"[:13]...) // a text chunk
	upload = append(upload[:33:33], append(append(text, 0, 0, 0, 0), upload[33:]...)...)
	binary.BigEndian.PutUint32(upload[33+8+9:], crc32.ChecksumIEEE(upload[33+4:33+8+9]))
	if err := logos.Put("sponsor", bytes.NewReader(upload)); err != nil {
		t.Fatal(err)
	}
	path, err := logos.Path("sponsor")
	if err != nil {
		t.Fatal(err)
	}
	saved, err := os.ReadFile(path)
	if err != nil || bytes.Contains(saved, []byte("<script")) {
		t.Fatalf("%v: the stored file has the upload's text", err)
	}
	img, err := png.Decode(bytes.NewReader(saved))
	if err != nil || img.Bounds() != image.Rect(0, 0, 40, 20) {
		t.Fatalf("%v %v", img.Bounds(), err)
	}
	if _, _, _, a := img.At(0, 0).RGBA(); a != 0 {
		t.Error("a transparent pixel has become opaque")
	}
	if r, g, _, a := img.At(1, 0).RGBA(); r != 0xffff || g != 0 || a != 0xffff {
		t.Error("a red pixel is no longer red")
	}
	photo := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, red(), nil) })
	if err := logos.Put("photo", bytes.NewReader(photo)); err != nil {
		t.Fatal(err)
	}
	if names, err := logos.List(); err != nil || strings.Join(names, " ") != "photo sponsor" {
		t.Fatalf("%v %v", names, err)
	}
	if err := logos.Remove("photo"); err != nil {
		t.Fatal(err)
	}
	if _, err := logos.Path("photo"); !errors.Is(err, graphics.ErrNoLogo) {
		t.Fatalf("err = %v", err)
	}
}

func TestAnInvalidLogoIsRefusedAndLeavesNoFile(t *testing.T) {
	dir := t.TempDir()
	logos := graphics.NewLogos(filepath.Join(dir, "logos"))
	if err := os.WriteFile(filepath.Join(dir, "secret.png"), redPNG(t), 0o600); err != nil {
		t.Fatal(err)
	}
	wide := redPNG(t)
	binary.BigEndian.PutUint32(wide[16:], 2048+1) // the width in its IHDR
	binary.BigEndian.PutUint32(wide[29:], crc32.ChecksumIEEE(wide[12:29]))
	for why, content := range map[string][]byte{
		"not a PNG": []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>`),
		"corrupt":   redPNG(t)[:len(redPNG(t))-20], "per side": wide, "larger than": make([]byte, graphics.MaxLogo+1),
	} {
		if err := logos.Put("x", bytes.NewReader(content)); !errors.Is(err, graphics.ErrBadLogo) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: err = %v", why, err)
		}
	}
	for _, name := range []string{"", "../secret", "a/b", ".", "-x", strings.Repeat("x", 65), "a.png"} {
		if err := logos.Put(name, bytes.NewReader(redPNG(t))); !errors.Is(err, graphics.ErrBadLogo) {
			t.Errorf("%q: err = %v", name, err)
		}
		if _, err := logos.Path(name); !errors.Is(err, graphics.ErrNoLogo) {
			t.Errorf("%q: err = %v", name, err)
		}
	}
	if names, err := logos.List(); err != nil || len(names) != 0 {
		t.Errorf("%v %v", names, err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "logos")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestALowerThirdWithoutItsLogoIsShownAndReported(t *testing.T) {
	s := &fakeRenderer{}
	it := person("a", "Ada")
	it.Text[graphics.LogoField] = "sponsor"
	queue := newQueue(t, s, it)
	queue.Take(t.Context(), "a")
	r := s.report()
	r.Text = map[string]string{"name": "Ada"}
	queue.Report(t.Context(), r)
	if st := queue.State(); st.OnAir == nil || !st.OnAir.Confirmed || !strings.Contains(st.Problem, "without its logo") {
		t.Fatalf("state = %+v", st)
	}
	r.Text[graphics.LogoField] = "other"
	queue.Report(t.Context(), r)
	if st := queue.State(); st.OnAir.Confirmed {
		t.Fatalf("another's logo is confirmed: %+v", st)
	}
	r.Text[graphics.LogoField] = "sponsor"
	queue.Report(t.Context(), r)
	if st := queue.State(); !st.OnAir.Confirmed || st.Problem != "" {
		t.Fatalf("state = %+v", st)
	}
	it.Text[graphics.LogoField] = "../x"
	if err := queue.Update(t.Context(), it); !errors.Is(err, graphics.ErrInvalidText) {
		t.Fatalf("err = %v", err)
	}
}
