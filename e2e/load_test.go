package e2e

import (
	"runtime"
	"testing"
	"time"
)

// load is what a test takes of the machine.
type load int

const (
	light load = iota // the server, cameras and destinations: they mostly wait
	heavy             // with a browser or OBS, which render in software
)

// slots is how many tests of each load run at a time.
var slots = [...]chan struct{}{
	light: make(chan struct{}, runtime.NumCPU()),
	heavy: make(chan struct{}, max(1, runtime.NumCPU()/2)),
}

// parallel runs a test beside others once the machine has room for it: with more at a time,
// OBS and browsers show less than the tests look for.
func parallel(t *testing.T, of load) {
	t.Helper()
	t.Parallel()
	slots[of] <- struct{}{}
	began := time.Now()
	t.Cleanup(func() {
		<-slots[of]
		t.Logf("took %v, without waiting for its turn", time.Since(began).Round(100*time.Millisecond))
	})
}
