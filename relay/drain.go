package relay

import (
	"context"
	"io"
	"time"

	"obvan/hub"
	"obvan/media"
)

// Drain passes the program's units to take as they arrive, until ctx is done or the
// program ends (nil). take gets nil when no more units are waiting.
func Drain(ctx context.Context, sub *hub.Subscriber, next func() (media.AccessUnit, error), take func(au *media.AccessUnit, now time.Time) error) error {
	for ctx.Err() == nil {
		au, err := next()
		now := time.Now()
		switch {
		case err == io.EOF:
			return nil
		case err == hub.ErrNotYet:
			if err := take(nil, now); err != nil {
				return err
			}
			select {
			case <-sub.Ready():
			case <-ctx.Done():
			}
		case err != nil:
			return err
		default:
			if err := take(&au, now); err != nil {
				return err
			}
		}
	}
	return nil
}
