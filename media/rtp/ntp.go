package rtp

import "time"

// NTP is a time as sender reports have it: seconds since 1900 in 32.32 fixed point (RFC
// 3550, 4; RFC 5905, 6).
func NTP(t time.Time) uint64 {
	const from1900to1970 = 2208988800
	return uint64(t.Unix()+from1900to1970)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
