package control

import (
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay/selftest/reporttest"
)

func TestADrillRunsBesideTheShowAndReports(t *testing.T) {
	if testing.Short() {
		t.Skip("a drill takes 20 s")
	}
	t.Parallel()
	h := open(t)
	for _, seconds := range []string{"-1", "3", "10000"} {
		h.fails(t, "selftest.run", `{"seconds":`+seconds+`}`, BadRequest)
	}
	h.do(t, "selftest.run", `{"seconds":15}`)
	h.fails(t, "selftest.run", ``, Refused)
	testkit.Eventually(t, 40*time.Second, func() bool { return h.now().SelfTest.Report != nil }, "a report")
	if st := h.now(); len(st.SelfTest.Report.Healthy) == 0 || st.SelfTest.Running || len(h.desk.running()) > 0 || len(st.Destinations) > 0 {
		t.Fatalf("%+v\n%v", st.SelfTest, st.SelfTest.Report)
	}
	reporttest.Check(t, h.now().SelfTest.Report, len(h.now().SelfTest.Report.Healthy))
	if _, played := h.hub.Stream("program"); played {
		t.Error("the drill's program is the show's")
	}
	h.do(t, "selftest.run", ``) // whoever sees the report may order the next
}

func TestADrillIsTakenBeforeSomebodyIsThereToRunIt(t *testing.T) {
	h := build(t, t.TempDir(), newDesk(), Options{}, quiet())
	h.do(t, "selftest.run", ``)
	h.fails(t, "selftest.run", ``, Refused)
}

func TestADrillEndsWithTheStudio(t *testing.T) {
	h := build(t, t.TempDir(), newDesk(), Options{}, quiet())
	stop := h.start(t)
	h.do(t, "selftest.run", ``)
	began := time.Now()
	stop()
	if took := time.Since(began); took > usualDrill/2 { // it did not run to its end
		t.Fatalf("it took %v", took)
	}
}
