package retry_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"obvan/internal/retry"
)

func TestWaitsGrowStayBoundedAndReset(t *testing.T) {
	b := retry.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for i := range 100 {
		d := b.Next()
		if ceiling := min(b.Max, b.Min<<min(i, 30)); d < b.Min || d > ceiling {
			t.Fatalf("wait %d is %v, want between %v and %v", i, d, b.Min, ceiling)
		}
	}
	if b.Attempt() != 100 {
		t.Fatalf("attempt = %d", b.Attempt())
	}
	b.Reset()
	if d := b.Next(); d != b.Min {
		t.Fatalf("first wait after a reset is %v", d)
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := retry.Sleep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := retry.Sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("err = %v", err)
		}
	})
}
