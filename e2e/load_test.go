package e2e

import (
	"runtime"
	"testing"

	"golang.org/x/sync/semaphore"
)

// The load of a test, in half cores.
const (
	light = 1 // the server, cameras and destinations: they mostly wait
	heavy = 3 // with a browser or OBS, which render in software
)

var cores = semaphore.NewWeighted(max(heavy, 2*int64(runtime.NumCPU())))

// parallel runs a test beside others once the machine has room for its load: with more,
// OBS and browsers show less than the tests look for.
func parallel(t *testing.T, load int64) {
	t.Helper()
	t.Parallel()
	if err := cores.Acquire(t.Context(), load); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cores.Release(load) })
}
