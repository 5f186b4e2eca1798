package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/internal/testkit"
)

// stepTimeout is for one step in the browser. The longest is to watch for a minute, on a
// machine that may be slow.
const stepTimeout = 150 * time.Second

// browser is a real Chromium with one page open.
type browser struct {
	t   testing.TB
	ctx context.Context
}

// open starts a fresh browser, logs in as admin and opens the panel.
func (s *studio) open(width, height int64, flags ...string) *browser {
	s.t.Helper()
	b := newBrowser(s.t, width, height, flags...)
	b.do(chromedp.Navigate(s.url("/#token=" + token)))
	return b
}

func newBrowser(t testing.TB, width, height int64, flags ...string) *browser {
	t.Helper()
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(testkit.Tool(t, "chromium")), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()),
	}
	for _, name := range append([]string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"autoplay-policy=no-user-gesture-required"}, flags...) {
		name, value, given := strings.Cut(name, "=")
		if given {
			opts = append(opts, chromedp.Flag(name, value))
		} else {
			opts = append(opts, chromedp.Flag(name, true))
		}
	}
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		if t.Failed() {
			b := &browser{t, ctx}
			b.screenshot("failed-" + strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
		}
		chromedp.Cancel(ctx)
		cancel()
		cancelAlloc()
	})
	b := &browser{t, ctx}
	b.do(chromedp.EmulateViewport(width, height))
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	// The browser starts in the first context it is used with, so that one has no deadline.
	if err := chromedp.Do(b.ctx); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval runs JavaScript, awaits its promise, and decodes what it returns.
func (b *browser) eval(script string, result any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("(async () => JSON.stringify((await ("+script+")) ?? null))()", chromedp.EvalAwaitPromise))
	if err == nil && result != nil {
		err = json.Unmarshal([]byte(text), result)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", script[:min(80, len(script))], err)
	}
}

// until waits until a JavaScript expression is true.
func (b *browser) until(within time.Duration, expression string) {
	b.t.Helper()
	testkit.Eventually(b.t, within, func() bool {
		var yes bool
		b.eval("!!("+expression+")", &yes)
		return yes
	}, "in the page: %s", expression)
}

// screenshot writes what the page shows to e2e/out.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTimeout)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll("out", 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join("out", name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Errorf("screenshot: %v", err)
	}
}

// playback is what a WHEP viewer measured.
type playback struct {
	JoinMs           float64 // offer to first frame
	Decoded, Dropped int
	PLI              int
	Seconds          float64
	LatencyMs        []float64 // of each frame: from its arrival at the server to its display
	LongestFreezeMs  float64   // between two frames shown
	Samples          int       // of audio received
	Concealed        int
	Energy           float64 // of the audio that was decoded; 0 for silence
	Rate             float64 // frames per second, decoded
}

// watch plays a stream by WHEP in a page of the studio for some seconds, with no
// code of the panel: fetch, RTCPeerConnection, video.
func (b *browser) watch(stream string, seconds int) (w playback) {
	b.t.Helper()
	b.eval(fmt.Sprintf(watchScript, stream, seconds), &w)
	w.Rate = float64(w.Decoded) / w.Seconds
	return w
}

const watchScript = `(async () => {
	const stream = %q, seconds = %d;
	const pc = new RTCPeerConnection();
	pc.addTransceiver('video', {direction: 'recvonly'});
	pc.addTransceiver('audio', {direction: 'recvonly'});
	const video = document.createElement('video');
	video.muted = false; video.autoplay = true; video.style = 'position:fixed;left:0;top:0;width:320px;z-index:99';
	document.body.append(video);
	const media = new MediaStream();
	pc.ontrack = e => { media.addTrack(e.track); video.srcObject = media; video.play().catch(() => {}); };
	const clock = async () => {
		const t0 = performance.now();
		const c = await (await fetch('/api/v1/clock/' + stream)).json();
		const t1 = performance.now();
		return {rtp: c.rtp, arrived: c.arrivedMs - c.nowMs + (t0 + t1) / 2, took: t1 - t0};
	};
	const began = performance.now();
	await pc.setLocalDescription();
	const answer = await fetch('/whep/' + stream, {method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: pc.localDescription.sdp});
	if (answer.status !== 201) throw new Error(answer.status + ' ' + await answer.text());
	await pc.setRemoteDescription({type: 'answer', sdp: await answer.text()});
	let join = 0, last = 0, longest = 0;
	const shown = [];
	const onFrame = (now, meta) => {
		if (!join) join = now - began;
		if (last) longest = Math.max(longest, now - last);
		last = now;
		shown.push({at: meta.expectedDisplayTime, rtp: meta.rtpTimestamp});
		video.requestVideoFrameCallback(onFrame);
	};
	video.requestVideoFrameCallback(onFrame);
	const wait = ms => new Promise(r => setTimeout(r, ms));
	for (let n = 0; !join && n < 1000; n++) await wait(10);
	await wait(1000);
	longest = 0; shown.length = 0;
	const stats = async () => {
		const s = {Decoded: 0, Dropped: 0, PLI: 0, Samples: 0, Concealed: 0};
		(await pc.getStats()).forEach(r => {
			if (r.type !== 'inbound-rtp') return;
			if (r.kind === 'video') { s.Decoded = r.framesDecoded; s.Dropped = r.framesDropped; s.PLI = r.pliCount; }
			else { s.Samples = r.totalSamplesReceived; s.Concealed = r.concealedSamples; }
		});
		return s;
	};
	const before = await stats(), t0 = performance.now();
	let best = null;
	for (let n = 0; n < 20; n++) { const c = await clock(); if (!best || c.took < best.took) best = c; await wait(50); }
	await wait(Math.max(0, seconds * 1000 - (performance.now() - t0)));
	const after = await stats(), span = (performance.now() - t0) / 1000;
	const latency = shown.map(f => f.at - (best.arrived + ((f.rtp - best.rtp) | 0) / 90));
	const location = answer.headers.get('Location');
	pc.close(); video.remove();
	if (location) await fetch(location, {method: 'DELETE'});
	const diff = {};
	for (const k in after) diff[k] = after[k] - before[k];
	return {JoinMs: join, Seconds: span, LatencyMs: latency, LongestFreezeMs: longest, ...diff};
})()`

// quantile of unsorted values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1))]
}
