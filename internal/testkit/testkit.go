// Package testkit is what tests of several packages share: waiting for facts, a check
// for leaked goroutines, a network path that can be impaired, and figures for make
// measure.
package testkit

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Allow is how long a test waits for something that takes at most within on a quiet
// machine before it fails. How long things really take is for make measure.
func Allow(within time.Duration) time.Duration { return 4 * within }

// Eventually polls fact until it is true; it fails the test after Allow(within).
func Eventually(t testing.TB, within time.Duration, fact func() bool, what string, args ...any) {
	t.Helper()
	within = Allow(within)
	deadline := time.Now().Add(within)
	for wait := time.Millisecond; !fact(); wait = min(2*wait, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: "+what, append([]any{within}, args...)...)
		}
		time.Sleep(wait) // the one poll; everything else waits by calling Eventually
	}
}

// Main runs a package's tests and fails when goroutines outlive them. Call it
// from TestMain.
func Main(m *testing.M, opts ...goleak.Option) { goleak.VerifyTestMain(m, opts...) }

// Tool is the path of an external program. Without it a test skips, or fails
// when OBVAN_E2E is set (make test, make e2e): there a missing tool is a defect.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("OBVAN_E2E") != "" {
		t.Fatalf("%s is not installed: run scripts/setup, or install it by hand", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}
