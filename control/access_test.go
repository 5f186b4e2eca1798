package control

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"obvan/ingest"
)

func TestTheFirstStartGivesALoginLinkAndLaterOnesDoNot(t *testing.T) {
	dir := t.TempDir()
	h := build(t, dir, newDesk(), Options{}, quiet())
	link := h.LoginLink("127.0.0.1:8080")
	_, token, ok := strings.Cut(link, "http://127.0.0.1:8080/#token=")
	if !ok || len(token) != 43 {
		t.Fatalf("link = %s", link)
	}
	if you, err := h.access.who(token, "10.0.0.1:1"); err != nil || you != (You{"admin", Admin}) {
		t.Fatalf("%v %v", you, err)
	}
	if strings.Contains(keptFile(t, dir, "secrets.json"), token) {
		t.Fatal("the token itself is kept")
	}
	again := build(t, dir, newDesk(), Options{}, quiet())
	if link := again.LoginLink("h:1"); link != "http://h:1/" {
		t.Fatalf("link = %s", link)
	}
	flagged := build(t, t.TempDir(), newDesk(), Options{Token: "from the command line", Secure: true}, quiet())
	if link := flagged.LoginLink("h:1"); link != "https://h:1/" {
		t.Fatalf("link = %s", link)
	}
	if _, err := again.access.who(token, "10.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
}

func TestTokensAreGivenAndTakenAway(t *testing.T) {
	h := build(t, t.TempDir(), newDesk(), Options{}, quiet())
	made := h.do(t, "token.create", `{"name":"Anna","role":"operator"}`).(TokenCreated)
	if you, err := h.access.who(made.Token, "10.0.0.1:1"); err != nil || you != (You{"Anna", Operator}) {
		t.Fatalf("%v %v", you, err)
	}
	if _, err := h.run(t.Context(), as(Admin), "token.create", []byte(`{"name":"Anna","role":"viewer"}`)); !errors.Is(err, ErrExists) {
		t.Fatal(err)
	}
	if list := h.do(t, "token.list", ``).([]TokenInfo); len(list) != 2 || list[1].Name != "Anna" || list[1].Role != Operator {
		t.Fatalf("list = %+v", list)
	}
	h.do(t, "token.revoke", `{"name":"Anna"}`)
	if _, err := h.access.who(made.Token, "10.0.0.1:1"); !errors.Is(err, ErrUnauthorised) {
		t.Fatal(err)
	}
	if _, err := h.run(t.Context(), as(Admin), "token.revoke", []byte(`{"name":"admin"}`)); !errors.Is(err, ErrRefused) {
		t.Fatalf("the last admin was locked out: %v", err)
	}
}

func TestGuessingIsSlowedAndLocksNobodyOut(t *testing.T) {
	h := build(t, t.TempDir(), newDesk(), Options{Token: "short"}, quiet())
	made := h.do(t, "token.create", `{"name":"Anna","role":"operator"}`).(TokenCreated)
	var last error
	for i := range 2 * wrongAtOnce {
		_, last = h.access.who(fmt.Sprint("guess ", i), "10.0.0.1:99")
	}
	if !errors.Is(last, ErrTooMany) {
		t.Fatal(last)
	}
	if _, err := h.access.who("short", "10.0.0.1:1"); !errors.Is(err, ErrTooMany) {
		t.Fatalf("a token that can be guessed is let in during a guess: %v", err)
	}
	if _, err := h.access.who(made.Token, "10.0.0.1:1"); err != nil {
		t.Fatalf("a token that can't be guessed is locked out: %v", err)
	}
	if you, err := h.access.who("short", "[2001:db8::1]:1"); err != nil || you.Role != Admin {
		t.Fatal(err)
	}
}

func TestWhoMayPublish(t *testing.T) {
	h := open(t)
	auto := h.do(t, "feed.add", `{"id":"phone","name":"Phone"}`).(FeedAdded).Key
	h.do(t, "feed.add", `{"id":"safe","name":"Safe","key":"chosen-key"}`)
	operator := h.do(t, "token.create", `{"name":"Op","role":"operator"}`).(TokenCreated).Token
	viewer := h.do(t, "token.create", `{"name":"Vi","role":"viewer"}`).(TokenCreated).Token
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
	h.do(t, "feed.remove", `{"id":"safe"}`)
	if err := h.Authorise(ingest.Request{Stream: "safe", Key: "chosen-key", Remote: "10.0.0.5:1"}); err == nil {
		t.Error("the key outlived its feed")
	}
}

func TestAFeedsKeyIsShownAndRenewed(t *testing.T) {
	h := open(t)
	made := h.do(t, "feed.add", `{"id":"phone","name":"Phone"}`).(FeedAdded).Key
	if got := h.do(t, "feed.key", `{"id":"phone"}`).(FeedKey).Key; got != made {
		t.Fatalf("%s, want %s", got, made)
	}
	if got := h.do(t, "feed.update", `{"id":"phone","name":"Phone 2"}`).(FeedAdded); got.Key != "" {
		t.Fatal("a name made a new key")
	}
	renewed := h.do(t, "feed.update", `{"id":"phone","key":""}`).(FeedAdded).Key
	if renewed == "" || renewed == made {
		t.Fatal("the key was not renewed")
	}
	if err := h.Authorise(ingest.Request{Stream: "phone", Key: made, Remote: "10.0.0.5:1"}); err == nil {
		t.Fatal("the old key still works")
	}
}

func TestPlayersFromElsewhereNeedAToken(t *testing.T) {
	h := open(t)
	viewer := h.do(t, "token.create", `{"name":"Vi","role":"viewer"}`).(TokenCreated).Token
	for _, c := range []struct {
		token, remote string
		ok            bool
	}{{"", "127.0.0.1:1", true}, {"", "10.0.0.5:1", false}, {"nonsense", "10.0.0.5:1", false}, {viewer, "10.0.0.5:1", true}} {
		if err := h.AuthorisePlay("cam1", c.token, c.remote); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
