package studio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/hub"
	"obvan/ingest"
	"obvan/mixer"
	"obvan/relay"
)

func TestBadArgumentsAreNamed(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	for _, c := range []struct{ command, args, want string }{
		{"mixer.preview", ``, "the argument source is missing"},
		{"mixer.preview", `null`, "the argument source is missing"},
		{"mixer.preview", `{"source":null}`, "the argument source is missing"},
		{"mixer.preview", `{"source":7}`, "the argument source must be a string, not a number"},
		{"mixer.preview", `{"source":["cam1"]}`, "the argument source must be a string, not a list"},
		{"mixer.preview", `{"Source":"cam1"}`, `unknown argument "Source"; this command takes source`},
		{"mixer.preview", `{"source":"cam1","x":1}`, `unknown argument "x"; this command takes source`},
		{"mixer.preview", `["cam1"]`, "the arguments must be one JSON object, not a list"},
		{"mixer.preview", `"cam1"`, "the arguments must be one JSON object, not a string"},
		{"mixer.preview", `{"source":"cam1"} {}`, "the arguments are not JSON"},
		{"mixer.preview", `{"source":`, "the arguments are not JSON"},
		{"mixer.take", `{"durationMs":1.5}`, `the argument durationMs must be a whole number: "1.5" is not`},
		{"mixer.take", `{"durationMs":1e99}`, `the argument durationMs must be a whole number`},
		{"mixer.take", `{"durationMs":-1}`, "the argument durationMs must be 0 to 60000"},
		{"mixer.cut", `{"when":"later"}`, `the argument when must be "keyframe" or omitted`},
		{"program.failover", `{}`, "the argument on is missing"},
		{"program.failover", `{"on":"yes"}`, "the argument on must be true or false, not a string"},
		{"program.backups", `{"feeds":"cam1"}`, "the argument feeds must be a list, each entry a string, not a string"},
		{"show.live", `{"now":true}`, `unknown argument "now"; this command takes no arguments`},
		{"token.create", `{"name":"Anna","role":"king"}`, "role must be one of viewer, operator, director, admin"},
		{"feed.add", `{"id":"cam1","name":""}`, "the argument name must be 1 to 100 characters"},
		{"feed.add", `{"id":"cam1","name":"a\nb"}`, "must be one line"},
		{"feed.add", `{"id":"cam1","name":"x","url":"camera"}`, "must look like rtsp://host/path"},
		{"feed.add", `{"id":"cam1","name":"x","url":"gopher://host/x"}`, "can't pull from gopher:// addresses"},
		{"feed.add", `{"id":"cam1","name":"x","key":"a b c d"}`, "the argument key must be"},
		{"destination.add", `{"name":"x","url":"rtmp://"}`, "enter a server address (url) like rtmp://server/app"},
		{"destination.add", `{"id":"../x","name":"x","url":"rtmp://h/app"}`, "the id must be"},
		{"destination.add", `{"name":"x","url":"rtmp://h/app","key":"a\nb"}`, "the stream key (key) must have"},
	} {
		_, err := h.Execute(t.Context(), studiotest.As(control.Admin), c.command, []byte(c.args))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.command, c.args, err, c.want)
			continue
		}
		if code, status := control.Code(err); code != control.BadRequest || status != http.StatusBadRequest {
			t.Errorf("%s %s: %s %d", c.command, c.args, code, status)
		}
	}
	if asked := h.Fakes.Asked(); len(asked) != 0 {
		t.Fatalf("the rooms were asked: %v", asked)
	}
}

func TestARoleThatIsTooLowIsRefusedForEveryCommand(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	for _, c := range studio.Commands() {
		if c.Role == control.Viewer && !slices.Contains([]string{"audio.meters", "overlay.heartbeat"}, c.Name) { // who only looks
			t.Errorf("%s: a viewer may change nothing", c.Name)
		}
		if c.Role == control.Viewer {
			continue
		}
		_, err := h.Execute(t.Context(), studiotest.As(c.Role-1), c.Name, []byte(`{"nonsense":1}`))
		if !errors.Is(err, control.ErrForbidden) {
			t.Errorf("%s: %v", c.Name, err)
		}
		_, err = h.Execute(t.Context(), studiotest.As(c.Role), c.Name, []byte(`{"nonsense":1}`))
		if code, _ := control.Code(err); code != control.BadRequest {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

func TestTheTableIsWellFormed(t *testing.T) {
	seen := map[string]bool{}
	name := regexp.MustCompile(`^[a-z]+\.[a-zA-Z]+$`)
	for _, c := range studio.Commands() {
		if seen[c.Name] || !name.MatchString(c.Name) || !strings.HasSuffix(c.Doc, ".") {
			t.Errorf("%q %q", c.Name, c.Doc)
		}
		seen[c.Name] = true
		for _, fails := range c.Fails {
			if code, _ := control.Code(fails); code == control.Internal {
				t.Errorf("%s: %v has no word in the protocol", c.Name, fails)
			}
		}
	}
	for _, fixed := range strings.Fields(`mixer.preview mixer.cut mixer.take feed.add feed.update feed.remove destination.add destination.update
		destination.remove destination.start destination.stop destination.retry show.live show.end show.rename token.create token.revoke token.list
		program.failover program.lock program.backups`) {
		if !seen[fixed] {
			t.Errorf("%s is missing: others use it", fixed)
		}
	}
}

func TestEveryErrorHasItsCode(t *testing.T) {
	for _, c := range []struct {
		err    error
		code   control.ErrorCode
		status int
	}{
		{mixer.ErrNoSource, control.NotFound, 404},
		{mixer.ErrNoTransition, control.NotFound, 404},
		{mixer.ErrOffline, control.Offline, 503},
		{mixer.ErrNoPreview, control.Conflict, 409},
		{mixer.ErrBusy, control.Conflict, 409},
		{relay.ErrUnknown, control.NotFound, 404},
		{relay.ErrExists, control.Conflict, 409},
		{relay.ErrUnsupported, control.BadRequest, 400},
		{relay.ErrRefused, control.Refused, 409},
		{hub.ErrPublishing, control.Conflict, 409},
		{hub.ErrNoStream, control.NotFound, 404},
		{ingest.ErrBadName, control.BadRequest, 400},
		{ingest.ErrReserved, control.BadRequest, 400},
		{ingest.ErrUnauthorised, control.Unauthorised, 401},
		{control.ErrUnauthorised, control.Unauthorised, 401},
		{control.ErrForbidden, control.Forbidden, 403},
		{control.ErrTooMany, control.TooMany, 429},
		{context.DeadlineExceeded, control.Timeout, 504},
		{errors.New("a bug with a secret in it"), control.Internal, 500},
	} {
		wrapped := fmt.Errorf("while trying: %w", c.err)
		if code, status := control.Code(wrapped); code != c.code || status != c.status {
			t.Errorf("%v: %s %d, want %s %d", c.err, code, status, c.code, c.status)
		}
		if c.code == control.Internal && strings.Contains(control.Message(wrapped), "secret") {
			t.Error("a fault in the server is described to the client")
		}
	}
}

func TestACutIsLoggedWithWhoDidIt(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	h.Do(t, "mixer.cut", `{"source":"cam2"}`)
	st := h.Now()
	last := st.Log[len(st.Log)-1]
	if last.Who != "test" || last.Text != "cut to cam2" || h.Fakes.Asked()[0] != "cut cam2" {
		t.Fatalf("log = %+v, asked = %v", last, h.Fakes.Asked())
	}
	if _, err := h.Execute(t.Context(), studiotest.As(control.Operator), "mixer.cut", []byte(`{"source":"cam9"}`)); !errors.Is(err, mixer.ErrNoSource) {
		t.Fatal(err)
	}
	if len(h.Now().Log) != len(st.Log) {
		t.Fatal("what did not happen was logged")
	}
}
