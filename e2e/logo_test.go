package e2e

import (
	"encoding/json"
	"image"
	"image/color"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/control"
	commands "obvan/control/studio"
)

// named prepares a lower third with a logo and returns its id.
func (s *studio) addLowerThird(name, logo string) string {
	s.t.Helper()
	var added commands.GraphicAdded
	if err := json.Unmarshal(s.do("graphics.add", map[string]any{"text": map[string]string{"name": name, "title": "Engineer", "logo": logo}}), &added); err != nil {
		s.t.Fatal(err)
	}
	return added.ID
}

// confirmed waits until the lower third of that name is seen.
func (s *studio) awaitLowerThird(name string) control.State {
	s.t.Helper()
	return s.await(10*time.Second, name+" is confirmed", func(st control.State) bool {
		return st.Graphics.OnAir != nil && st.Graphics.OnAir.Text["name"] == name && st.Graphics.OnAir.Confirmed
	})
}

func TestALogoIsShownBesideTheLowerThirdInOBS(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t)
	s := atOBS(t, o)
	s.do("feed.add", map[string]any{"id": "red", "name": "Red"})
	s.put("logos/sponsor", still(t, color.NRGBA{B: 255, A: 255}))
	s.do("obs.provision", nil)
	s.do("mixer.cut", map[string]any{"source": sceneOf("red")})
	at := image.Pt(430, 306) // of 640x360: within the logo's place
	blue := func() bool {
		r, _, b, _ := o.screenshot(t, sceneOf("red")).At(at.X, at.Y).RGBA()
		return b > 0xc000 && r < 0x3000
	}
	with, without := s.addLowerThird("Ada", "sponsor"), s.addLowerThird("Grace", "")
	s.do("graphics.take", map[string]any{"id": with})
	if st := s.awaitLowerThird("Ada"); st.Mixer.Graphic.Text["logo"] != "sponsor" || st.Graphics.Problem != "" || st.Mixer.Graphic.Problem != "" {
		t.Errorf("%+v %+v", st.Graphics, st.Mixer.Graphic)
	}
	if !blue() {
		t.Error("the logo is not in OBS' output")
	}
	s.do("graphics.take", map[string]any{"id": without})
	if st := s.awaitLowerThird("Grace"); st.Mixer.Graphic.Text["logo"] != "" || blue() {
		t.Errorf("the next one still has the logo: %+v", st.Mixer.Graphic)
	}
}

func TestALogoIsShownBesideTheLowerThirdOnTheOverlayPage(t *testing.T) {
	parallel(t, heavy)
	s := start(t)
	s.put("logos/sponsor", still(t, color.NRGBA{B: 255, A: 255}))
	b := newBrowser(t, 1280, 720)
	b.do(chromedp.Navigate(s.url("/overlay#token=" + token)))
	s.await(10*time.Second, "the page draws", func(st control.State) bool { return st.Graphics.Via == "overlay" })
	s.do("graphics.take", map[string]any{"id": s.addLowerThird("Ada", "sponsor")})
	if st := s.awaitLowerThird("Ada"); st.Graphics.Problem != "" {
		t.Error(st.Graphics.Problem)
	}
	b.until(5*time.Second, `(() => { const i = document.querySelector('img'); return i && i.complete && i.naturalWidth === 1600 && i.getBoundingClientRect().width > 100 })()`)
	s.do("logo.remove", map[string]any{"name": "sponsor"})
	s.do("graphics.out", nil)
	b.until(5*time.Second, `!document.querySelector('img')`)
}
