package rtmp_test

import (
	"context"
	"crypto/tls"
	"os"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/testserver"
)

func TestMain(m *testing.M) {
	if os.Getenv(benchServersEnv) != "" {
		runBenchServers()
		return
	}
	testkit.Main(m)
}

// startServer runs a test server.
func startServer(t testing.TB, config *tls.Config) *testserver.Server {
	s, err := testserver.Listen("127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Errorf("test server: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	for name, merge := range map[string]time.Duration{"merged": rtmp.DefaultMerge, "unmerged": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			relaytest.Test(t, func(t *testing.T) relaytest.Output {
				out := rtmp.New(nil)
				out.Merge, out.Stall, out.Backlog = merge, time.Second, time.Second
				return relaytest.Output{Push: out.Push, Server: startServer(t, nil)}
			})
		})
	}
}

func TestContractOverTLS(t *testing.T) {
	t.Parallel()
	server, roots := testkit.Certificate(t, "127.0.0.1")
	relaytest.Test(t, func(t *testing.T) relaytest.Output {
		out := rtmp.New(&tls.Config{RootCAs: roots})
		out.Stall, out.Backlog = time.Second, 2*time.Second
		return relaytest.Output{Push: out.Push, Server: startServer(t, server)}
	})
}
