// Package reporttest checks the report of a self-test for the tests of several rooms.
package reporttest

import (
	"testing"

	"obvan/internal/testkit"
	"obvan/relay/selftest"
)

// Check checks a report of so many healthy destinations: they received every frame,
// and each faulty one had the states it should. How much later the frames came for the
// faulty ones' company is a figure.
func Check(t *testing.T, report *selftest.Report, healthy int) {
	t.Helper()
	t.Log(report)
	if len(report.Healthy) != healthy || len(report.Faulty) != 6 {
		t.Errorf("%d healthy and %d faulty destinations, want %d and 6", len(report.Healthy), len(report.Faulty), healthy)
	}
	for _, d := range report.Healthy {
		if d.MissedFrames > 0 || d.P99Ms == 0 {
			t.Errorf("%s: %s", d.Name, d.Summary)
		}
		testkit.Measure(t, "self-test: "+d.Name+": p99 beside faulty destinations, more than alone", d.P99Ms-d.AloneMs, "ms", testkit.AtMost(150))
	}
	for _, d := range report.Faulty {
		if !d.OK {
			t.Errorf("%s: %s", d.Kind, d.Summary)
		}
	}
}
