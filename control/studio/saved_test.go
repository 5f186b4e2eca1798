package studio_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/control"
	"obvan/control/showfile"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/internal/testkit"
	"obvan/relay"
)

func TestAShowComesBackAfterARestart(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "show.rename", `{"name":"Cup final"}`)
	h.Do(t, "feed.add", `{"id":"cam1","name":"Camera 1"}`)
	h.Do(t, "feed.add", `{"id":"roof","name":"Roof","url":"rtsp://joe:hunter22@10.0.0.9/s1"}`)
	h.Do(t, "program.backups", `{"feeds":["roof"]}`)
	h.Do(t, "destination.add", `{"id":"yt","name":"YouTube","url":"rtmp://a.example/live2","key":"yt-key-1234"}`)
	h.Do(t, "destination.add", `{"id":"tw","name":"Twitch","url":"rtmp://b.example/app","key":"tw-key-1234","enabled":false}`)
	key := h.Fakes.Keys["yt"]

	again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
	again.Start(t)
	st := again.Now()
	if st.Show.Name != "Cup final" || len(st.Feeds) != 2 || st.Feeds[1].URL != "rtsp://joe:***@10.0.0.9/s1" || !st.Feeds[0].HasKey {
		t.Fatalf("state = %+v", st)
	}
	d := again.Fakes
	if d.Pulls["roof"] != "rtsp://joe:hunter22@10.0.0.9/s1" || !slices.Equal(d.Backups, []string{"roof"}) || !slices.Equal(d.Feeds, []string{"cam1", "roof"}) {
		t.Fatalf("the rooms got %+v", d)
	}
	if len(d.Dests) != 2 || d.Keys["yt"] != key || d.Keys["tw"] != "tw-key-1234" || len(d.Running()) != 0 {
		t.Fatalf("destinations = %+v, running %v", d.Dests, d.Running())
	}
}

func TestACrashInMidShowRestartsTheDestinationsOnAir(t *testing.T) {
	h := studiotest.Open(t)
	for _, id := range []string{"a", "b", "c"} {
		h.Do(t, "destination.add", `{"id":"`+id+`","name":"`+id+`","url":"rtmp://h.example/app","key":"key-`+id+`"}`)
	}
	h.Do(t, "destination.update", `{"id":"c","enabled":false}`)
	h.Do(t, "destination.start", `{"id":"c"}`) // before the show: a test
	if live := h.Do(t, "show.live", ``).(studio.WentLive); !slices.Equal(live.Started, []string{"a", "b"}) {
		t.Fatalf("started = %v", live.Started)
	}
	h.Do(t, "destination.stop", `{"id":"b"}`)

	again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet()) // the first one was not told to stop
	again.Start(t)
	if got := again.Fakes.Running(); !slices.Equal(got, []string{"a", "c"}) {
		t.Fatalf("running = %v", got)
	}
	again.Do(t, "show.end", ``)
	if got := again.Fakes.Running(); len(got) != 0 {
		t.Fatalf("running = %v", got)
	}
	third := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	third.Start(t)
	if got := third.Fakes.Running(); len(got) != 0 || third.Now().Show.Live {
		t.Fatalf("running = %v", got)
	}
}

func TestADestinationTestedBeforeARestartDoesNotGoOnAirInTheShow(t *testing.T) {
	h := studiotest.Open(t)
	for _, id := range []string{"a", "test"} {
		h.Do(t, "destination.add", `{"id":"`+id+`","name":"`+id+`","url":"rtmp://h.example/app","key":"key-`+id+`"}`)
	}
	h.Do(t, "destination.update", `{"id":"test","enabled":false}`)
	h.Do(t, "destination.start", `{"id":"test"}`) // and the server is restarted before the show
	show := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
	show.Start(t)
	show.Do(t, "show.live", ``)
	again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet()) // and crashes in it
	again.Start(t)
	if was, is := show.Fakes.Running(), again.Fakes.Running(); !slices.Equal(was, []string{"a"}) || !slices.Equal(is, was) {
		t.Fatalf("%v were running, and %v are", was, is)
	}
}

func TestADamagedFileIsSetAsideAndLogged(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "show.json"), []byte(`{"name":"half a fi`), 0o644); err != nil {
		t.Fatal(err)
	}
	h := studiotest.Build(t, dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	h.Do(t, "show.rename", `{"name":"New"}`)
	aside, err := filepath.Glob(filepath.Join(dir, "show.json.broken-*"))
	if err != nil || len(aside) != 1 {
		t.Fatalf("%v %v", aside, err)
	}
	if b, err := os.ReadFile(aside[0]); err != nil || string(b) != `{"name":"half a fi` {
		t.Fatalf("%q %v", b, err)
	}
	log := h.Now().Log
	if log[0].Level != control.Error || !strings.Contains(log[0].Text, filepath.Base(aside[0])) {
		t.Fatalf("log = %+v", log)
	}
}

func TestSecretsAreForTheOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	for name, mode := range map[string]os.FileMode{"secrets.json": 0o600, "as-run.jsonl": 0o600, "show.json": 0o600} {
		info, err := os.Stat(filepath.Join(h.Dir, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if entries, err := os.ReadDir(h.Dir); err != nil || len(entries) != 3 {
		t.Errorf("left over: %v %v", entries, err)
	}
}

func TestAFailingDiskDoesNotStopTheShow(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	if err := os.RemoveAll(h.Dir); err != nil {
		t.Fatal(err)
	}
	h.Do(t, "show.rename", `{"name":"Still on"}`)
	if st := h.Now(); st.Show.Name != "Still on" || !slices.ContainsFunc(st.Log, func(e control.LogEntry) bool { return e.Level == control.Error }) {
		t.Fatalf("state = %+v", st)
	}
}

func TestAChangeThatTheDiskRefusedIsSavedOnceItWorks(t *testing.T) {
	t.Parallel()
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	h.Start(t)
	aside := h.Dir + "-aside"
	if err := os.Rename(h.Dir, aside); err != nil {
		t.Fatal(err)
	}
	h.Do(t, "feed.add", `{"id":"cam1","name":"Camera 1","key":"k-of-camera-1"}`)
	if err := os.Rename(aside, h.Dir); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, 4*studio.SaveEvery, func() bool { return h.Logged(studio.SavedAgainText) }, "it is tried again without a command")
	again, _, err := showfile.Open(h.Dir, studiotest.Quiet())
	if err != nil {
		t.Fatal(err)
	}
	saved := false
	again.Read(func(k *showfile.Show, sec *showfile.Secrets) {
		saved = k.Feed("cam1") >= 0 && sec.Feeds["cam1"].Key == "k-of-camera-1"
	})
	if !saved {
		t.Fatal("the disk does not have the camera and its key")
	}
}

func TestTheAsRunLogHasWhoDidWhat(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	stop := h.Start(t)
	h.Do(t, "mixer.cut", `{"source":"cam1"}`)
	h.Do(t, "show.rename", `{"name":"Gala"}`)
	stop()
	lines := strings.Split(strings.TrimSpace(studiotest.DataFile(t, h.Dir, "as-run.jsonl")), "\n")
	var last [3]showfile.AsRunLine
	for i := range last {
		if err := json.Unmarshal([]byte(lines[len(lines)-3+i]), &last[i]); err != nil {
			t.Fatal(err)
		}
	}
	if last[0].Command != "mixer.cut" || last[0].Who != "test" || last[0].Role != "admin" || last[0].Text != "cut to cam1" || last[1].Text != "renamed the show to Gala" || last[2].Text != "Server shutting down." {
		t.Fatalf("last = %+v", last)
	}
}

func TestCredentialsOfAPulledCameraAreUnchangedWhenTheyAreWrittenAsStars(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "feed.add", `{"id":"roof","name":"Roof","url":"rtsp://joe:hunter22@cam.example/s1?token=t0ken123&ch=2"}`)
	if got := h.Now().Feeds[0].URL; got != "rtsp://joe:***@cam.example/s1?token=***&ch=***" {
		t.Fatalf("url = %s", got)
	}
	h.Do(t, "feed.update", `{"id":"roof","url":"rtsp://joe:***@cam.example/s2?token=***&ch=3"}`)
	if got := h.Fakes.Pulls["roof"]; got != "rtsp://joe:hunter22@cam.example/s2?token=t0ken123&ch=3" {
		t.Fatalf("pulled = %s", got)
	}
	h.Do(t, "feed.update", `{"id":"roof","name":"Roof 2"}`)
	if got := h.Fakes.Pulls["roof"]; got != "rtsp://joe:hunter22@cam.example/s2?token=t0ken123&ch=3" {
		t.Fatalf("pulled = %s", got)
	}
	for _, url := range []string{"rtsp://joe:***@evil.example/s1", "rtsp://cam.example.evil/?token=***", "http://joe:***@cam.example/s1", "rtsp://cam.example/?other=***"} {
		_, err := h.Execute(t.Context(), studiotest.As(control.Admin), "feed.update", []byte(`{"id":"roof","url":"`+url+`"}`))
		if code, _ := control.Code(err); code != control.BadRequest {
			t.Errorf("%s: %v", url, err)
		}
	}
	h.Do(t, "feed.update", `{"id":"roof","url":""}`)
	if h.Fakes.Pulls["roof"] != "" || h.Now().Feeds[0].URL != "" || !h.Now().Feeds[0].HasKey {
		t.Fatalf("feeds = %+v", h.Now().Feeds)
	}
}

func TestThePathOfAWHIPAddressIsASecret(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "destination.add", `{"id":"a","name":"A","url":"https://h.example/whip/s3cret-in-path?region=eu"}`)
	for _, c := range []struct{ args, url, shown string }{
		{`"name":"B"`, "https://h.example/whip/s3cret-in-path?region=eu", "https://h.example/***?region=***"},
		{`"url":"https://h.example/***?region=***"`, "https://h.example/whip/s3cret-in-path?region=eu", "https://h.example/***?region=***"},
		{`"url":"https://h.example/***"`, "https://h.example/whip/s3cret-in-path", "https://h.example/***"},
		{`"key":"a-token","backupUrl":"https://b.example/"`, "https://h.example/whip/s3cret-in-path", "https://h.example/***"},
		{`"url":"https://h.example/whip/an%2Fother"`, "https://h.example/whip/an%2Fother", "https://h.example/***"},
		{`"url":"https://h.example/***?a=1"`, "https://h.example/whip/an%2Fother?a=1", "https://h.example/***?a=***"},
	} {
		h.Do(t, "destination.update", `{"id":"a",`+c.args+`}`)
		if sent, st := h.Fakes.Dests[0].URL, h.Now().Destinations[0].URL; sent != c.url || st != c.shown {
			t.Errorf("%s: sent to %s, shown as %s", c.args, sent, st)
		}
	}
	old := func(k *showfile.Show, _ *showfile.Secrets) error {
		k.Destinations[0].URL = "https://h.example/whip/s3cret-in-path"
		return nil
	}
	if err := h.Edit(t.Context(), old); err != nil || h.Now().Destinations[0].URL != "https://h.example/***" {
		t.Errorf("an older show is shown as %s, err = %v", h.Now().Destinations[0].URL, err)
	}
	for _, url := range []string{"https://evil.example/***", "http://h.example/***", "https://h.example/whip/***", "https://b.example/***"} {
		_, err := h.Execute(t.Context(), studiotest.As(control.Admin), "destination.update", []byte(`{"id":"a","key":"","url":"`+url+`"}`))
		if code, _ := control.Code(err); code != control.BadRequest {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestEditingAnAddressDoesNotSendTheStreamKeyToAnotherHost(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "destination.add", `{"id":"a","name":"A","url":"rtmp://h.example/app","key":"kkkk-kkkk"}`)
	for _, args := range []string{`"url":"rtmp://evil.example/app"`, `"backupUrl":"rtmp://evil.example/app"`, `"url":"rtmp://h.example:1936/app"`} {
		_, err := h.Execute(t.Context(), studiotest.As(control.Director), "destination.update", []byte(`{"id":"a",`+args+`}`))
		if code, _ := control.Code(err); code != control.BadRequest || !strings.Contains(err.Error(), "enter the stream key again") {
			t.Errorf("%s: %v", args, err)
		}
	}
	h.Do(t, "destination.update", `{"id":"a","url":"rtmps://h.example/other","backupUrl":"rtmp://h.example/b"}`)
	h.Do(t, "destination.update", `{"id":"a","url":"rtmp://new.example/app","key":"nnnn-nnnn"}`)
	if h.Fakes.Keys["a"] != "nnnn-nnnn" || h.Fakes.Dests[0].URL != "rtmp://new.example/app" {
		t.Fatalf("%+v %v", h.Fakes.Dests, h.Fakes.Keys)
	}
}

func TestAKeyThatWasPastedWithItsAddressIsSplitOff(t *testing.T) {
	h := studiotest.Open(t)
	for _, c := range []struct{ args, url, key string }{
		{`{"id":"a","name":"a","url":"rtmp://h.example/live2/abcd-efgh"}`, "rtmp://h.example/live2", "abcd-efgh"},
		{`{"id":"b","name":"b","url":"rtmp://h.example/app/inst","key":"kkkk-kkkk"}`, "rtmp://h.example/app/inst", "kkkk-kkkk"},
		{`{"id":"c","name":"c","url":"rtmps://h.example:443/app/name?s=1&t=2"}`, "rtmps://h.example:443/app", "name?s=1&t=2"},
		{`{"id":"d","name":"d","url":"rtmp://h.example/app"}`, "rtmp://h.example/app", ""},
	} {
		h.Do(t, "destination.add", c.args)
		d := h.Fakes.Dests[len(h.Fakes.Dests)-1]
		if d.URL != c.url || h.Fakes.Keys[d.ID] != c.key || d.HasKey != (c.key != "") {
			t.Errorf("%s: %+v %q", c.args, d, h.Fakes.Keys[d.ID])
		}
	}
}

func TestADestinationThatTheRelayDoesNotAcceptStaysInTheList(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "destination.add", `{"id":"a","name":"A","url":"rtmp://h.example/app"}`)
	if _, err := h.Execute(t.Context(), studiotest.As(control.Admin), "destination.add", []byte(`{"name":"B","url":"srt://h.example:9000"}`)); !errors.Is(err, relay.ErrAddress) {
		t.Fatal(err)
	}
	secrets := strings.Replace(studiotest.DataFile(t, h.Dir, "secrets.json"), "rtmp://h.example/app", "future://h.example/app", 1)
	dir := t.TempDir()
	for name, content := range map[string]string{"secrets.json": secrets, "show.json": studiotest.DataFile(t, h.Dir, "show.json")} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := studiotest.Build(t, dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	again.Start(t)
	if d := again.Now().Destinations; len(d) != 1 || d[0].Name != "A" || d[0].State != relay.Off || d[0].Reason == "" {
		t.Fatalf("destinations = %+v", d)
	}
}

func TestIDsAreMadeFromNames(t *testing.T) {
	h := studiotest.Open(t)
	for _, c := range [][2]string{{"Main channel!", "main-channel"}, {"Main channel", "main-channel-2"}, {"Ünïcode 日本", "n-code"}, {"日本", "destination"}} {
		added := h.Do(t, "destination.add", `{"name":"`+c[0]+`","url":"rtmp://h.example/app"}`).(studio.DestinationAdded)
		if added.ID != c[1] {
			t.Errorf("%s: %s", c[0], added.ID)
		}
	}
	if _, err := h.Execute(t.Context(), studiotest.As(control.Admin), "destination.add", []byte(`{"id":"destination","name":"x","url":"rtmp://h/a"}`)); !errors.Is(err, relay.ErrExists) {
		t.Fatal(err)
	}
}

func TestTwoPanelsThatRaceLoseNothing(t *testing.T) {
	h := studiotest.Open(t)
	done := make(chan error)
	const each = 20
	for p := range 2 {
		go func() {
			var errs error
			for i := range each {
				name := string(rune('a'+p)) + string(rune('a'+i))
				_, err := h.Execute(t.Context(), studiotest.As(control.Admin), "feed.add", []byte(`{"id":"`+name+`","name":"`+name+`"}`))
				errs = errors.Join(errs, err)
			}
			done <- errs
		}()
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	again.Start(t)
	if n := len(again.Now().Feeds); n != 2*each {
		t.Fatalf("%d feeds were kept", n)
	}
}

func TestStatusesOfTheRelayAreJoinedWithTheShowFile(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "destination.add", `{"id":"yt","name":"YouTube","url":"rtmp://a.example/live2?auth=s3cret99","key":"yt-key-1234"}`)
	h.RelayChanged([]relay.Status{{Destination: relay.Destination{ID: "yt", URL: "rtmp://a.example/live2?auth=s3cret99"}, State: relay.Refused, Reason: "the server said: bad key yt-key-1234", Kbps: 5}})
	d := h.Now().Destinations[0]
	if d.URL != "rtmp://a.example/live2?auth=***" || d.Reason != "the server said: bad key ***" || d.Name != "YouTube" || d.Kbps != 5 {
		t.Fatalf("destination = %+v", d)
	}
	testkit.Eventually(t, 5*time.Second, func() bool { return h.Logged("YouTube: the server said: bad key ***.") }, "the refusal is logged")
	before := len(h.Now().Log)
	for range 3 {
		h.RelayChanged([]relay.Status{{Destination: relay.Destination{ID: "yt"}, State: relay.Connecting}})
		h.RelayChanged([]relay.Status{{Destination: relay.Destination{ID: "yt"}, State: relay.Retrying, Reason: "no route"}})
	}
	if got := len(h.Now().Log) - before; got != 1 {
		t.Fatalf("%d lines for one trouble", got)
	}
}

func TestATruncatedLineOfTheAsRunLogBreaksNoOther(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "as-run.jsonl")
	if err := os.WriteFile(path, []byte("{\"text\":\"whole\"}\n{\"text\":\"ha"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h := studiotest.Build(t, dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
		h.Start(t)()
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var good, bad int
	for _, line := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		if json.Valid([]byte(line)) {
			good++
		} else {
			bad++
		}
	}
	if good != 5 || bad != 1 {
		t.Errorf("%d lines are whole, %d are not:\n%s", good, bad, content)
	}
}
