package studio_test

import (
	"testing"
	"time"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/internal/testkit"
	"obvan/relay/selftest/reporttest"
)

func TestASelfTestRunsBesideTheShowAndReports(t *testing.T) {
	if testing.Short() {
		t.Skip("a self-test takes 20 s")
	}
	t.Parallel()
	h := studiotest.Open(t)
	for _, seconds := range []string{"-1", "3", "10000"} {
		h.Fails(t, "selftest.run", `{"seconds":`+seconds+`}`, control.BadRequest)
	}
	h.Do(t, "selftest.run", `{"seconds":15}`)
	h.Fails(t, "selftest.run", ``, control.Refused)
	testkit.Eventually(t, 40*time.Second, func() bool { return h.Now().SelfTest.Report != nil }, "a report")
	if st := h.Now(); st.SelfTest.Running || len(h.Fakes.Running()) > 0 || len(st.Destinations) > 0 {
		t.Fatalf("%+v\n%v", st.SelfTest, st.SelfTest.Report)
	}
	reporttest.Check(t, h.Now().SelfTest.Report, 2)
	if _, played := h.Hub.Stream("program"); played {
		t.Error("the self-test has the show's program")
	}
	h.Do(t, "selftest.run", ``) // whoever sees the report may start the next
}

func TestASelfTestIsAcceptedBeforeTheStudioRuns(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	h.Do(t, "selftest.run", ``)
	h.Fails(t, "selftest.run", ``, control.Refused)
}

func TestASelfTestEndsWithTheStudio(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	stop := h.Start(t)
	h.Do(t, "selftest.run", ``)
	began := time.Now()
	stop()
	if took := time.Since(began); took > studio.UsualSelfTest/2 { // it did not run to its end
		t.Fatalf("it took %v", took)
	}
}
