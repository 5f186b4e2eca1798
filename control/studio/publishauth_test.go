package studio_test

import (
	"errors"
	"strings"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/ingest"
)

func TestTheFirstStartMakesATokenAndLaterOnesDoNot(t *testing.T) {
	dir := t.TempDir()
	h := studiotest.Build(t, dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	token := h.FirstToken()
	if len(token) != 43 {
		t.Fatalf("token = %q", token)
	}
	if you, err := h.Access().Who(token, "10.0.0.1:1"); err != nil || you != (control.You{Name: "admin", Role: control.Admin}) {
		t.Fatalf("%v %v", you, err)
	}
	if strings.Contains(studiotest.DataFile(t, dir, "secrets.json"), token) {
		t.Fatal("the token itself is stored")
	}
	again := studiotest.Build(t, dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	if again.FirstToken() != "" {
		t.Fatal("it is shown a second time")
	}
	flagged := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{Token: "from the command line"}, studiotest.Quiet())
	if flagged.FirstToken() != "" {
		t.Fatal("a token is made beside the one of the flag")
	}
	if _, err := again.Access().Who(token, "10.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
}

func TestTokensAreCreatedAndRevoked(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	made := h.Do(t, "token.create", `{"name":"Anna","role":"operator"}`).(studio.TokenCreated)
	if you, err := h.Access().Who(made.Token, "10.0.0.1:1"); err != nil || you != (control.You{Name: "Anna", Role: control.Operator}) {
		t.Fatalf("%v %v", you, err)
	}
	if _, err := h.Execute(t.Context(), studiotest.As(control.Admin), "token.create", []byte(`{"name":"Anna","role":"viewer"}`)); !errors.Is(err, control.ErrExists) {
		t.Fatal(err)
	}
	if list := h.Do(t, "token.list", ``).([]studio.TokenInfo); len(list) != 2 || list[1].Name != "Anna" || list[1].Role != control.Operator {
		t.Fatalf("list = %+v", list)
	}
	h.Do(t, "token.revoke", `{"name":"Anna"}`)
	if _, err := h.Access().Who(made.Token, "10.0.0.1:1"); !errors.Is(err, control.ErrUnauthorised) {
		t.Fatal(err)
	}
	if _, err := h.Execute(t.Context(), studiotest.As(control.Admin), "token.revoke", []byte(`{"name":"admin"}`)); !errors.Is(err, control.ErrRefused) {
		t.Fatalf("the last admin was locked out: %v", err)
	}
}

func TestPublishersNeedTheRightKey(t *testing.T) {
	h := studiotest.Open(t)
	auto := h.Do(t, "feed.add", `{"id":"phone","name":"Phone"}`).(studio.FeedAdded).Key
	h.Do(t, "feed.add", `{"id":"safe","name":"Safe","key":"chosen-key"}`)
	operator := h.Do(t, "token.create", `{"name":"Op","role":"operator"}`).(studio.TokenCreated).Token
	viewer := h.Do(t, "token.create", `{"name":"Vi","role":"viewer"}`).(studio.TokenCreated).Token
	if auto == "" {
		t.Fatal("no key was made")
	}
	for _, c := range []struct {
		stream, key, remote string
		ok                  bool
	}{
		{"stray", "", "127.0.0.1:1", true},
		{"stray", "", "[::1]:1", true},
		{"stray", "anything", "127.0.0.1:1", true},
		{"stray", "", "10.0.0.5:1", false},
		{"stray", operator, "10.0.0.5:1", true},
		{"stray", viewer, "10.0.0.5:1", false},
		{"stray", auto, "10.0.0.5:1", false},
		{"phone", "", "127.0.0.1:1", true},
		{"phone", "", "10.0.0.5:1", false},
		{"phone", "wrong", "10.0.0.5:1", false},
		{"phone", auto, "10.0.0.5:1", true},
		{"phone", operator, "10.0.0.5:1", true},
		{"safe", "", "127.0.0.1:1", false},
		{"safe", operator, "127.0.0.1:1", false},
		{"safe", "chosen-key", "127.0.0.1:1", true},
		{"safe", "chosen-key", "10.0.0.5:1", true},
		{ingest.Mixer, "", "127.0.0.1:1", false},
		{ingest.Mixer, operator, "127.0.0.1:1", false},
		{ingest.Mixer, h.MixerKey(), "127.0.0.1:1", true},
		{"stray", "", "not an address", false},
	} {
		err := h.Authorise(ingest.Request{Stream: c.stream, Key: c.key, Proto: "rtmp", Remote: c.remote})
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ingest.ErrUnauthorised) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	proves := func(key string) bool { return key == "chosen-key" } // as Digest does
	for stream, ok := range map[string]bool{"safe": true, "phone": false, ingest.Mixer: false} {
		if err := h.Authorise(ingest.Request{Stream: stream, Proves: proves, Proto: "rtsp", Remote: "10.0.0.5:1"}); (err == nil) != ok {
			t.Errorf("%s with a proof: %v", stream, err)
		}
	}
	h.Do(t, "feed.remove", `{"id":"safe"}`)
	if err := h.Authorise(ingest.Request{Stream: "safe", Key: "chosen-key", Remote: "10.0.0.5:1"}); err == nil {
		t.Error("the key outlived its feed")
	}
}

func TestAFeedsKeyIsShownAndRenewed(t *testing.T) {
	h := studiotest.Open(t)
	made := h.Do(t, "feed.add", `{"id":"phone","name":"Phone"}`).(studio.FeedAdded).Key
	if got := h.Do(t, "feed.key", `{"id":"phone"}`).(studio.FeedKey).Key; got != made {
		t.Fatalf("%s, want %s", got, made)
	}
	if got := h.Do(t, "feed.update", `{"id":"phone","name":"Phone 2"}`).(studio.FeedAdded); got.Key != "" {
		t.Fatal("a name made a new key")
	}
	renewed := h.Do(t, "feed.update", `{"id":"phone","key":""}`).(studio.FeedAdded).Key
	if renewed == "" || renewed == made {
		t.Fatal("the key was not renewed")
	}
	if err := h.Authorise(ingest.Request{Stream: "phone", Key: made, Remote: "10.0.0.5:1"}); err == nil {
		t.Fatal("the old key still works")
	}
}

func TestPlayersFromElsewhereNeedAToken(t *testing.T) {
	h := studiotest.Open(t)
	viewer := h.Do(t, "token.create", `{"name":"Vi","role":"viewer"}`).(studio.TokenCreated).Token
	for _, c := range []struct {
		token, remote string
		ok            bool
	}{{"", "127.0.0.1:1", true}, {"", "10.0.0.5:1", false}, {"nonsense", "10.0.0.5:1", false}, {viewer, "10.0.0.5:1", true}} {
		if err := h.AuthorisePlay("cam1", c.token, c.remote); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
