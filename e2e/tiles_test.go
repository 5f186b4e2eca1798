package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"obvan/control"
)

// visibility is which tiles of the panel are within the window or close to it, which are
// not, and the streams that the page has requested.
type visibility struct {
	Visible, Hidden, Requested []string
}

const visibilityScript = `(() => {
	const at = {Visible: [], Hidden: [], Requested: performance.getEntriesByType('resource').map(r => new URL(r.name).pathname.split('/')).filter(p => p[1] === 'whep').map(p => p[2])};
	for (const tile of document.querySelectorAll('[data-source]')) {
		const box = tile.querySelector('.video').getBoundingClientRect();
		(box.bottom > -200 && box.top < innerHeight + 200 ? at.Visible : at.Hidden).push(tile.dataset.source);
	}
	return at;
})()`

// awaitViewers waits until each of these feeds has so many viewers.
func (s *studio) awaitViewers(within time.Duration, viewers int, feeds ...string) {
	s.t.Helper()
	s.await(within, fmt.Sprintf("%v: viewers: %d", feeds, viewers), func(st control.State) bool {
		return !slices.ContainsFunc(feeds, func(id string) bool { return feedOf(st, id).Viewers != viewers })
	})
}

func TestOnlyVisibleTilesAreStreamed(t *testing.T) {
	parallel(t, heavy)
	s := start(t, "-demo")
	feeds := []string{"cam1", "cam2", "cam3", "cam4"}
	for n := range 8 {
		feeds = append(feeds, fmt.Sprintf("more%d", n))
		s.do("feed.add", map[string]any{"id": feeds[4+n], "name": feeds[4+n], "url": fmt.Sprintf("demo://cam%d", 1+n%4)})
	}
	s.live(10*time.Second, feeds...)
	b := s.open(400, 500)
	b.until(8*time.Second, `[...document.querySelectorAll('[data-source] video')].filter(v => v.currentTime > 0).length > 0 && document.querySelectorAll('[data-source]').length === 12`)
	var at visibility
	b.eval(visibilityScript, &at)
	t.Logf("%+v", at)
	if len(at.Visible) == 0 || len(at.Hidden) < 4 {
		t.Fatal("the window does not have the size that this test needs")
	}
	for _, id := range at.Hidden {
		if slices.Contains(at.Requested, id) {
			t.Errorf("%s was requested, although it is not visible", id)
		}
	}
	s.awaitViewers(3*time.Second, 0, at.Hidden...)
	s.awaitViewers(3*time.Second, 1, at.Visible...)

	last := at.Hidden[len(at.Hidden)-1]
	b.eval(`document.querySelector('[data-source="`+last+`"]').scrollIntoView()`, nil)
	s.awaitViewers(5*time.Second, 1, last)
	b.eval(visibilityScript, &at)
	s.awaitViewers(8*time.Second, 0, at.Hidden...) // also those that were in sight
}

func TestAFullScreenViewStopsTheStreamsItCovers(t *testing.T) {
	parallel(t, heavy)
	s := start(t, "-demo")
	feeds := []string{"cam1", "cam2", "cam3", "cam4"}
	s.live(10*time.Second, feeds...)
	s.cut("cam1")
	b := s.open(1280, 720)
	s.awaitViewers(8*time.Second, 1, feeds...)
	b.do(chromedp.KeyEvent("f"))
	b.until(5*time.Second, `document.querySelector('.view video')?.currentTime > 0.3`)
	s.awaitViewers(15*time.Second, 0, feeds...)
	b.do(chromedp.KeyEvent(kb.Escape))
	s.awaitViewers(5*time.Second, 1, feeds...)
	b.until(5*time.Second, `[...document.querySelectorAll('[data-source] video')].filter(v => v.currentTime > 0.1).length === 4`)
}

func TestMultiviewTilesPlayKeyframesOnly(t *testing.T) {
	parallel(t, heavy)
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1", "cam2", "cam3", "cam4")
	s.cut("cam1")
	b := newBrowser(t, 1280, 720)
	b.do(chromedp.Navigate(s.url("/multiview/program#token=" + token)))
	b.until(8*time.Second, `document.querySelector('.view video')?.currentTime > 0.3`)
	var at visibility
	b.eval(visibilityScript, &at)
	if requested := slices.Compact(at.Requested); !slices.Equal(requested, []string{"program"}) {
		t.Errorf("behind the full-screen program, %v are requested", requested)
	}
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(8*time.Second, `[...document.querySelectorAll('.cell video')].filter(v => v.currentTime > 0.3).length >= 5`)
	b.do(chromedp.KeyEvent("e"))
	b.until(5*time.Second, `[...document.querySelectorAll('.cell')].filter(c => c.innerText.includes('keyframes') && c.querySelector('video').videoWidth > 0).length === 4`)
	var shown struct {
		Program float64
		Tiles   []float64
		Text    string
	}
	b.eval(`(async () => {
		const cells = [...document.querySelectorAll('.cell')];
		const count = () => cells.map(c => c.querySelector('video').getVideoPlaybackQuality().totalVideoFrames);
		const before = count();
		await new Promise(r => setTimeout(r, 2200));
		const more = count().map((n, i) => n - before[i]);
		return {Program: more[1], Tiles: more.slice(2), Text: document.body.innerText};
	})()`, &shown)
	t.Logf("in 2.2 s: program %.0f frames, tiles %.0f", shown.Program, shown.Tiles)
	for n, frames := range shown.Tiles { // the demo cameras send a keyframe each second
		if frames < 1 || frames > 4 || shown.Program < 2*frames {
			t.Errorf("tile %d shows %.0f frames, program %.0f", n+1, frames, shown.Program)
		}
	}
	b.until(time.Second, `!document.body.innerText.includes('Frozen for')`)
	b.screenshot("multiview-keyframes")
}
