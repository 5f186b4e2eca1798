package ratewindow_test

import (
	"testing"
	"time"

	"obvan/internal/ratewindow"
)

func TestAWindowCoversTheLastWhileAndNoMore(t *testing.T) {
	w := ratewindow.Window[uint64]{Over: 3 * time.Second}
	at := time.Unix(1000, 0)
	if _, _, ok := w.Ends(); ok {
		t.Fatal("there are ends without samples")
	}
	for i := range uint64(10) {
		w.Add(at.Add(time.Duration(i)*time.Second), i*125_000)
	}
	first, last, ok := w.Ends()
	if !ok || last.At.Sub(first.At) != 3*time.Second || len(w.All()) != 4 {
		t.Fatalf("%v to %v, %d samples", first.At, last.At, len(w.All()))
	}
	if got := ratewindow.Kbps(last.Value-first.Value, last.At.Sub(first.At)); got != 1000 {
		t.Errorf("%v kbit/s", got)
	}
	w.Add(at.Add(time.Minute), 0)
	if len(w.All()) != 2 {
		t.Errorf("after a pause there are %d samples", len(w.All()))
	}
	w.Clear()
	if len(w.All()) != 0 {
		t.Error("it is not clear")
	}
}
