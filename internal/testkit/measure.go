package testkit

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A figure is a value that depends on how busy the machine is: frames per second in a
// browser, a median latency, a CPU share. make test logs figures and never fails because
// of one; make measure runs the same scenarios one at a time and holds them to their goals.

// Goal is the range that a figure should be in.
type Goal struct {
	least, most float64
	text        string
}

// AtMost is a goal with an upper bound.
func AtMost(most float64) Goal { return Goal{math.Inf(-1), most, "at most " + number(most)} }

// AtLeast is a goal with a lower bound.
func AtLeast(least float64) Goal { return Goal{least, math.Inf(1), "at least " + number(least)} }

// Between is a goal with both bounds.
func Between(least, most float64) Goal {
	return Goal{least, most, number(least) + " to " + number(most)}
}

// NoGoal is for a figure that is only printed.
func NoGoal() Goal { return Goal{math.Inf(-1), math.Inf(1), "-"} }

func (g Goal) met(value float64) bool { return value >= g.least && value <= g.most }

// Measuring reports whether this is make measure.
func Measuring() bool { return os.Getenv("OBVAN_MEASURE") != "" }

// OnlyMeasuring skips a test that is about figures unless this is make measure, which
// gives it the machine to itself.
func OnlyMeasuring(t testing.TB) {
	t.Helper()
	if !Measuring() {
		t.Skip("a test of figures: run make measure")
	}
}

// Measure logs a figure. In make measure it also adds it to the table and fails the test
// when the goal is missed.
func Measure(t testing.TB, name string, value float64, unit string, goal Goal) {
	t.Helper()
	t.Logf("figure: %s: %s %s (goal: %s)", name, number(value), unit, goal.text)
	path := os.Getenv("OBVAN_MEASURE")
	if path == "" {
		return
	}
	verdict := "met"
	switch {
	case goal.text == "-":
		verdict = "-"
	case !goal.met(value):
		verdict = "MISSED"
		t.Errorf("goal missed: %s: %s %s, goal: %s", name, number(value), unit, goal.text)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(file, strings.Join([]string{name, number(value), unit, goal.text, verdict}, "\t"))
		if closed := file.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		t.Errorf("recording a figure: %v", err)
	}
}

// Milliseconds is a duration as a figure.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func number(v float64) string {
	if v == math.Trunc(v) || math.Abs(v) >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}
