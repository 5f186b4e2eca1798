package srt_test

import (
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay/relaytest"
	"obvan/relay/srt"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestContract(t *testing.T) {
	relaytest.Test(t, func(t *testing.T) relaytest.Output {
		out := srt.New()
		out.Latency, out.Backlog, out.Stall = 20*time.Millisecond, 2*time.Second, time.Second
		return relaytest.Output{Push: out.Push, FarEnd: startFarEnd(t, "", 0), Lacks: relaytest.Lacks{
			Metadata: true,
			Pressure: true, // a path that is full loses what is too late in SRT itself, packet by packet
		}}
	})
}
