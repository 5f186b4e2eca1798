package listen

import (
	"context"
	"time"
)

// Library is a server that starts goroutines of its own.
type Library interface {
	Start() error
	Wait() error
	Close()
}

// Run serves until ctx is done and the library's goroutines have ended, and calls
// everySecond once a second.
func Run(ctx context.Context, lib Library, everySecond func(now time.Time)) error {
	if err := lib.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- lib.Wait() }()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case now := <-second.C:
			everySecond(now)
		case <-ctx.Done():
			lib.Close()
			<-ended
			return nil
		case err := <-ended:
			lib.Close() // its goroutines end with its context
			return err
		}
	}
}
