package rtp_test

import (
	"testing"
	"time"

	"obvan/media/rtp"
)

func TestWallClockTimesAreCountedFrom1900(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want uint64
	}{
		{time.Unix(0, 0), 2208988800 << 32},
		{time.Unix(1, int64(500*time.Millisecond)), 2208988801<<32 | 1<<31},
		{time.Unix(1, int64(250*time.Millisecond)), 2208988801<<32 | 1<<30},
	} {
		if got := rtp.NTP(c.at); got != c.want {
			t.Errorf("%v is %#x, want %#x", c.at, got, c.want)
		}
	}
}
