package wire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/general"
	"github.com/andreykaipov/goobs/api/requests/scenes"

	"obvan/internal/testkit"
	"obvan/mixer/obs/obstest"
	"obvan/mixer/obs/wire"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func dial(t *testing.T, srv *obstest.Server) *wire.Conn {
	t.Helper()
	conn, err := wire.Dial(t.Context(), wire.Options{
		Addr: strings.TrimPrefix(srv.URL, "obs://"), Password: srv.Password, Subscriptions: subscriptions.All,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func TestAWrongPasswordIsDistinguishedFromOtherErrors(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	for _, password := range []string{"", "wrong"} {
		_, err := wire.Dial(t.Context(), wire.Options{Addr: strings.TrimPrefix(srv.URL, "obs://"), Password: password})
		if !errors.Is(err, wire.ErrPassword) {
			t.Errorf("%q: %v", password, err)
		}
	}
	srv.SetPassword("")
	conn := dial(t, srv)
	srv.Kick()
	<-conn.Done()
	if !errors.Is(conn.Err(), wire.ErrKicked) {
		t.Errorf("kicked: %v", conn.Err())
	}
}

func TestAnswersReachTheirRequestsInAnyOrder(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	conn := dial(t, srv)
	type result struct {
		n   int
		err error
	}
	results := make(chan result)
	for n := range 50 {
		if n == 25 {
			srv.Slow(20 * time.Millisecond)
		}
		go func() {
			scene := fmt.Sprintf("nothing %d", n)
			err := conn.Call(t.Context(), scenes.NewSetCurrentProgramSceneParams().WithSceneName(scene), nil)
			results <- result{n, err}
		}()
	}
	for range 50 {
		if r := <-results; wire.Refusal(r.err) != wire.CodeNotFound {
			t.Errorf("%d: %v", r.n, r.err)
		}
	}
}

func TestARequestThatOBSDoesNotKnowIsRefused(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	srv.MakeUnknown("GetStats")
	conn := dial(t, srv)
	if err := conn.Call(t.Context(), &general.GetStatsParams{}, nil); wire.Refusal(err) != wire.CodeUnknownRequest {
		t.Errorf("err = %v", err)
	}
	if err := conn.Call(t.Context(), &general.GetVersionParams{}, nil); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestABatchReportsTheResultOfEachRequest(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	conn := dial(t, srv)
	errs, err := conn.Batch(t.Context(), wire.ByFrame,
		scenes.NewCreateSceneParams().WithSceneName("new"), scenes.NewCreateSceneParams().WithSceneName("new"), wire.Sleep{Frames: 1})
	if err != nil || len(errs) != 3 || errs[0] != nil || wire.Refusal(errs[1]) != wire.CodeExists || errs[2] != nil {
		t.Errorf("%v, %v", errs, err)
	}
}

func TestAnOBSThatStopsRespondingIsDetected(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1")
	conn := dial(t, srv)
	srv.Freeze()
	err := conn.Call(context.Background(), &general.GetVersionParams{}, nil)
	if !errors.Is(err, wire.ErrUnanswered) || !errors.Is(err, wire.ErrClosed) || !errors.Is(err, wire.ErrSilent) {
		t.Errorf("err = %v", err)
	}
}

func TestEventsThatAreNotReadAreReplacedByEventsLost(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	conn := dial(t, srv)
	srv.Flood(5000)
	if err := conn.Call(t.Context(), &general.GetVersionParams{}, nil); err != nil { // comes after the flood
		t.Fatal(err)
	}
	all := conn.Events()
	if len(all) > 2100 {
		t.Errorf("%d events were stored", len(all))
	}
	if _, lost := all[0].(wire.EventsLost); !lost {
		t.Errorf("the first is %T", all[0])
	}
	if last, ok := all[len(all)-1].(*events.CurrentPreviewSceneChanged); !ok || last.SceneName != "Scene" {
		t.Errorf("the last is %#v", all[len(all)-1])
	}
}
