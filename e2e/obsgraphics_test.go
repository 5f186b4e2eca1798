package e2e

import (
	"encoding/json"
	"image"
	"testing"
	"time"

	"obvan/control"
	commands "obvan/control/studio"
	"obvan/internal/testkit"
)

// The part of a frame of 640x360 that has the lower third's text.
var thirdAt = image.Rect(30, 280, 430, 345)

// lowerThird is that part of a decoded frame at the destination, in grey.
func (n *nginx) lowerThird(t testing.TB, key string) []float64 {
	t.Helper()
	const w, h = 640, 360
	raw := n.frame(t, key, w, h)
	var grey []float64
	for y := thirdAt.Min.Y; y < thirdAt.Max.Y; y++ {
		for x := thirdAt.Min.X; x < thirdAt.Max.X; x++ {
			i := 3 * (y*w + x)
			grey = append(grey, 0.299*float64(raw[i])+0.587*float64(raw[i+1])+0.114*float64(raw[i+2]))
		}
	}
	return grey
}

// reference is the same part of what OBS itself renders.
func (o *realOBS) reference(t testing.TB, scene string) (grey []float64) {
	t.Helper()
	img := o.screenshot(t, scene)
	for y := thirdAt.Min.Y; y < thirdAt.Max.Y; y++ {
		for x := thirdAt.Min.X; x < thirdAt.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			grey = append(grey, (0.299*float64(r)+0.587*float64(g)+0.114*float64(b))/257)
		}
	}
	return grey
}

// white counts the pixels of a lower third's letters.
func white(grey []float64) (n int) {
	for _, v := range grey {
		if v > 190 {
			n++
		}
	}
	return n
}

func TestALowerThirdIsVisibleAtTheDestination(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--stock")
	s := atOBS(t, o)
	s.cameras("red")
	s.setUp(o, "red")
	s.do("mixer.cut", map[string]any{"source": sceneOf("red")})
	dest := startNginx(t, "")
	s.sendTo(map[string]*nginx{"dest": dest})
	var added commands.GraphicAdded
	if err := json.Unmarshal(s.do("graphics.add", map[string]any{"text": map[string]string{"name": "Ada Lovelace", "title": "Engineer"}}), &added); err != nil {
		t.Fatal(err)
	}
	if n := white(dest.lowerThird(t, "key-dest")); n != 0 {
		t.Errorf("%d white pixels before", n)
	}
	read := func(name string) (got, want []float64) {
		t.Helper()
		s.await(5*time.Second, name+" is confirmed", func(st control.State) bool {
			return st.Graphics.OnAir != nil && st.Graphics.OnAir.Confirmed && st.Graphics.OnAir.Text["name"] == name &&
				st.Mixer.Graphic.OnAir && st.Mixer.Graphic.Text["name"] == name && st.Graphics.Via == "mixer"
		})
		testkit.Eventually(t, 10*time.Second, func() bool {
			got, want = dest.lowerThird(t, "key-dest"), o.reference(t, sceneOf("red"))
			return similarity(got, want) >= 0.95
		}, "%s is visible at the destination", name)
		return got, want
	}
	began := time.Now()
	s.do("graphics.take", map[string]any{"id": added.ID})
	t.Logf("take to confirmed: %v", time.Since(began).Round(time.Millisecond))
	ada, wantAda := read("Ada Lovelace")
	s.do("graphics.update", map[string]any{"id": added.ID, "text": map[string]string{"name": "Grace Hopper", "title": "Rear admiral"}})
	grace, wantGrace := read("Grace Hopper")
	t.Logf("Ada at the destination: %.3f like Ada, %.3f like Grace; Grace: %.3f like Grace, %.3f like Ada; %d and %d white pixels",
		similarity(ada, wantAda), similarity(ada, wantGrace), similarity(grace, wantGrace), similarity(grace, wantAda), white(ada), white(grace))
	if similarity(ada, wantGrace) > 0.9 || similarity(grace, wantAda) > 0.9 {
		t.Error("what is visible at the destination is not what was taken")
	}
	s.do("graphics.out", nil)
	s.await(5*time.Second, "it is off", func(st control.State) bool { return st.Graphics.OnAir == nil && !st.Mixer.Graphic.Shown })
	testkit.Eventually(t, 10*time.Second, func() bool { return white(dest.lowerThird(t, "key-dest")) == 0 }, "it is off at the destination")
	s.do("graphics.update", map[string]any{"id": added.ID, "autoOutMs": 1500})
	s.do("graphics.take", map[string]any{"id": added.ID})
	s.await(5*time.Second, "on air", func(st control.State) bool { return st.Graphics.OnAir != nil && st.Graphics.OnAir.Confirmed })
	s.await(5*time.Second, "it was taken out automatically", func(st control.State) bool { return st.Graphics.OnAir == nil && !st.Mixer.Graphic.Shown })
}
