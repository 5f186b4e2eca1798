package testkit

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// recorder is a test whose failures are only counted.
type recorder struct {
	testing.TB
	failures int
}

func (r *recorder) Helper()               {}
func (r *recorder) Logf(string, ...any)   {}
func (r *recorder) Errorf(string, ...any) { r.failures++ }

func TestAMissedGoalFailsOnlyWhileMeasuring(t *testing.T) {
	t.Setenv("OBVAN_MEASURE", "")
	test := &recorder{TB: t}
	Measure(test, "latency", 80, "ms", AtMost(50))
	if test.failures > 0 {
		t.Error("a missed goal fails make test")
	}

	table := filepath.Join(t.TempDir(), "table")
	t.Setenv("OBVAN_MEASURE", table)
	Measure(test, "latency", 80, "ms", AtMost(50))
	Measure(test, "rate", 29.97, "fps", Between(28.5, 31.5))
	Measure(test, "start", Milliseconds(1500*time.Microsecond), "ms", NoGoal())
	if test.failures != 1 {
		t.Errorf("%d figures of three failed, want 1", test.failures)
	}
	want := "latency\t80\tms\tat most 50\tMISSED\nrate\t30.0\tfps\t28.5 to 31.5\tmet\nstart\t1.5\tms\t-\t-\n"
	if got, err := os.ReadFile(table); err != nil || string(got) != want {
		t.Errorf("the table is %q, %v", got, err)
	}
}
