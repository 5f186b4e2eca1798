package srt_test

import (
	"strings"
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
		out.Latency, out.Backlog, out.Stall = 250*time.Millisecond, 2*time.Second, time.Second
		switch {
		case strings.Contains(t.Name(), "slow_server"):
			out.Latency = time.Second // what a full path loses takes two round trips to recover
		case strings.Contains(t.Name(), "slow_another"):
			out.Latency = time.Second // a busy machine may leave packets lying
		}
		return relaytest.Output{Push: out.Push, Server: startReceiver(t, "", 0), Unsupported: relaytest.Unsupported{Metadata: true}}
	})
}
