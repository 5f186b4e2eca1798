package observe_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"obvan/control/observe"
	"obvan/control/studiotest"
	"obvan/hub"
	"obvan/media"
)

func TestWarningsAppearBeforeTheShowAndDisappearWithTheirReason(t *testing.T) {
	watched(t, func(t *testing.T, h *studiotest.House) {
		h.Do(t, "destination.add", `{"id":"tw","name":"Twitch","url":"rtmp://a.example/app","platform":"twitch"}`)
		h.Do(t, "destination.add", `{"id":"fb","name":"Facebook","url":"rtmp://b.example/app","platform":"facebook"}`)
		if p := h.Fakes.Dests[1].ReconnectWindow; p.Name != "Facebook" || p.Grace != 4*time.Second {
			t.Errorf("the relay was told %+v", p)
		}
		warnings := func(id string) []string {
			synctest.Wait()
			for _, d := range h.Now().Destinations {
				if d.ID == id {
					return d.Warnings
				}
			}
			return nil
		}
		c := studiotest.NewCamera(t, h.Hub, hub.Program, studiotest.Tracks(), 90) // 2.4 Mbit/s, a keyframe every 3 s
		c.Roll(4*time.Second, false)
		if got := warnings("tw"); len(got) != 0 {
			t.Errorf("warned before it was sure: %q", got)
		}
		c.Roll(12*time.Second, false)
		if got := warnings("tw"); !slices.Equal(got, []string{"A keyframe comes every 3.0 s; Twitch requires one at least every 2 s."}) {
			t.Errorf("twitch: %q", got)
		}
		want := []string{"The program has no audio; Facebook requires it, even if it is silent."}
		if got := warnings("fb"); len(got) != 0 {
			t.Errorf("facebook: %q", got)
		}
		c.SetTracks(studiotest.Tracks()[:1])
		c.Sent, c.GOP = c.Sent/30*30, 30
		c.Roll(8*time.Second, false)
		if got := warnings("fb"); !slices.Equal(got, want) {
			t.Errorf("facebook: %q", got)
		}
		if got := warnings("tw"); len(got) != 0 {
			t.Errorf("twitch: %q", got)
		}
		c.Close()
	})
}

func TestAFlutteringWarningIsNotShownAndAShownOneStays(t *testing.T) {
	var c observe.Warnings
	at := time.Unix(1000, 0)
	look := func(texts ...string) []string {
		at = at.Add(time.Second)
		c.Update(at, texts)
		return c.Shown()
	}
	for range 30 {
		if got := append(look("It has 6.1 Mbit/s."), look()...); len(got) > 0 {
			t.Fatalf("shown: %q", got)
		}
	}
	for range 6 {
		look("It has 6.1 Mbit/s.")
	}
	for range 30 {
		if a, b := look(), look("It has 6.2 Mbit/s."); len(a) != 1 || len(b) != 1 {
			t.Fatalf("shown: %q, %q", a, b)
		}
	}
	if got := look(); got[0] != "It has 6.2 Mbit/s." {
		t.Errorf("the figures are old: %q", got)
	}
	for range 5 {
		look()
	}
	if c.Len() != 0 {
		t.Errorf("kept: %+v", c)
	}
}

func TestTheProgramIsMeasuredForThePlatformCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New()
		c := studiotest.NewCamera(t, h, hub.Program, studiotest.Tracks(), 30)
		var g observe.ProgramMeter
		for second := range 12 {
			if second == 6 {
				c.Write(media.AccessUnit{Track: 1, Key: true, Data: make([]byte, 160_000)}) // 128 kbit/s over ten seconds
				for range 30 {
					c.Write(media.AccessUnit{DTS: time.Duration(c.Sent) * time.Second / 30, Data: make([]byte, 10_000)})
				}
			}
			c.Roll(time.Second, second > 8)
			st, _ := h.Stream(hub.Program)
			g.Take(time.Now(), st, h)
		}
		b := g.Is()
		if b.AudioKbps != 128 || b.VideoKbps < 2600 || b.VideoKbps > 2700 || b.PeakKbps < 4700 || b.PeakKbps > 4900 || b.KeyframeInterval > 2*time.Second || !b.BFrames || !b.OpenGOP || b.VariableRate {
			t.Errorf("measured %+v", b)
		}
		c.Close()
	})
	if !observe.Uneven([]time.Duration{33, 33, 33, 70, 10, 33, 33, 90, 33, 33, 60}) || observe.Uneven([]time.Duration{33, 34, 33, 33, 34, 33, 67, 33, 34, 33}) {
		t.Error("what is uneven")
	}
}
