package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/ingest"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

// page is a log that many write to.
type page struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

// TestNoSecretIsEverShown plants secrets wherever one can be, has everything go wrong
// with them, and looks for them in all that leaves the studio but secrets.json and
// the answer that was meant to have them.
func TestNoSecretIsEverShown(t *testing.T) {
	planted := map[string]string{
		"stream key": "planted-stream-key", "feed key": "planted-feed-key", "password": "planted-password", "query": "planted-query",
		"flag": "planted-flag-token-planted-flag-token", "destination's password": "planted-dest-pass", "pasted key": "planted-pasted-key", "backup's": "planted-backup",
		"key in a path": "planted-in-path", "key in the middle of a path": "planted-mid-path",
	}
	var log page
	h := build(t, studio.Options{Token: planted["flag"], MixerURL: "obs://:planted-obs@host:4455"}, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	planted["obs"] = "planted-obs"
	stop := h.start(t)
	planted["token"] = h.Do(t, "token.create", `{"name":"Anna","role":"operator"}`).(studio.TokenCreated).Token
	planted["made key"] = h.Do(t, "feed.add", `{"id":"phone","name":"Phone"}`).(studio.FeedAdded).Key
	planted["mixer's key"] = h.MixerKey()
	var out strings.Builder
	say := func(command, args string) {
		status, body, _ := h.ask(t, "POST", "/api/v1/"+command, args, "Authorization", "Bearer "+planted["flag"])
		fmt.Fprintln(&out, status, body)
	}
	say("feed.add", `{"id":"cam1","name":"Cam","key":"planted-feed-key"}`)
	say("feed.add", `{"id":"cam1","name":"Cam","key":"planted-feed-key"}`)
	say("feed.add", `{"id":"cam2","name":"Cam","key":"planted-feed-key with spaces"}`)
	say("feed.add", `{"id":"roof","name":"Roof","url":"rtsp://joe:planted-password@cam.example/s1?pass=planted-query"}`)
	say("feed.add", `{"id":"bad","name":"Bad","url":"gopher://joe:planted-password@cam.example/s1?pass=planted-query"}`)
	say("feed.add", `{"id":"bad","name":"Bad","url":"rtsp://joe:planted-password@[broken/s1"}`)
	say("feed.update", `{"id":"roof","url":"rtsp://joe:planted-password@other.example:99999999/?pass=planted-query"}`)
	say("destination.add", `{"id":"yt","name":"YT","url":"rtmp://u:planted-dest-pass@h.example/app","key":"planted-stream-key","backupUrl":"rtmp://h.example/app?auth=planted-backup"}`)
	say("destination.add", `{"id":"ft","name":"FT","url":"ftp://u:planted-dest-pass@h.example/app","key":"planted-stream-key"}`)
	say("destination.add", `{"id":"pk","name":"PK","url":"rtmp://h.example/app/planted-pasted-key"}`)
	say("destination.add", `{"id":"wh","name":"WH","url":"https://h.example/whip/planted-in-path","backupUrl":"https://h.example/planted-mid-path/webRTC/publish","key":"planted-stream-key"}`)
	say("destination.update", `{"id":"wh","url":"https://h.example/whip/planted-in-path/%zz"}`)
	say("destination.update", `{"id":"wh","key":""}`)
	say("destination.update", `{"id":"yt","key":7}`)
	say("destination.start", `{"id":"yt"}`)
	say("token.list", ``)
	say("mixer.cut", `{"source":"cam9"}`)
	say("login", `{"token":"planted-wrong"}`)
	h.RelayChanged([]relay.Status{{Destination: relay.Destination{ID: "yt", URL: "rtmp://u:planted-dest-pass@h.example/app"}, State: relay.Refused, Reason: "refused planted-stream-key of planted-dest-pass, planted-backup, planted-in-path, planted-mid-path"}})
	h.MixerChanged(mixer.State{Kind: "obs", Problem: "the password planted-flag-token-planted-flag-token is wrong; key " + h.MixerKey()})
	h.ProgramChanged(program.State{Level: "freeze", Reason: "planted-stream-key"})
	for _, key := range planted {
		fmt.Fprintln(&out, h.Authorise(ingest.Request{Stream: "nobody", Key: key + "x", Proto: "rtmp", Remote: "10.0.0.1:1"}))
	}
	for _, path := range []string{"/api/v1/state", "/metrics", "/api/v1/commands", "/api/v1/me", "/debug/pprof/cmdline", "/"} {
		_, body, header := h.ask(t, "GET", path, "", "Authorization", "Bearer "+planted["flag"])
		fmt.Fprintln(&out, body, header)
	}
	stop()
	fmt.Fprintln(&out, studiotest.DataFile(t, h.Dir, "show.json"), studiotest.DataFile(t, h.Dir, "as-run.jsonl"))
	fmt.Fprintln(&out, "log", log.b.String())
	for what, secret := range planted {
		if i := strings.Index(out.String(), secret); i >= 0 {
			t.Errorf("the %s is shown: …%s…", what, out.String()[max(0, i-200):i+len(secret)+20])
		}
	}
}
