// Package freezedetect decodes a key picture of one stream once a second, to see what coded
// sizes only let guess: that it is of one colour, or that it does not change. A child
// of ffmpeg decodes; where there is none, nothing is seen.
package freezedetect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"obvan/hub"
	"obvan/internal/retry"
	"obvan/media"
	"obvan/monitor/annexb"
)

const (
	// calm is how long a stream has to be the one to look at before a child is started:
	// cuts come in bursts.
	settleTime = 2 * time.Second
	// every is the least time between two pictures: a little less than a second, so
	// that key frames a second apart all count.
	sampleInterval = 900 * time.Millisecond
	// mostOwed is how many pictures the decoder may owe before it is given up.
	maxPending = 8
	// worked is how long a child has to live for the next one to be started soon.
	healthyRun = 30 * time.Second
)

var (
	errStalled       = errors.New("the decoder does not answer")
	errDecoderExited = errors.New("the decoder ended")
	errCodec         = errors.New("this coding is not decoded")
)

// Sight is what was seen in a stream's newest key picture.
type Sample struct {
	Stream string
	Black  bool // it is black, or of one colour
	Frozen bool // it is the one before
}

// decoder takes key pictures as a bare stream, and gives a thumbnail of each.
type decoder io.ReadWriteCloser

// Looker looks at streams, one at a time.
type Detector struct {
	hub        *hub.Hub
	log        *slog.Logger
	start      func(ctx context.Context, c media.Codec) (decoder, error) // nil where there is no decoder
	settleTime time.Duration
}

// New looks for ffmpeg.
func New(h *hub.Hub, log *slog.Logger) *Detector {
	l := &Detector{hub: h, log: log, settleTime: settleTime}
	if ffmpeg, err := exec.LookPath("ffmpeg"); err == nil {
		l.start = func(ctx context.Context, c media.Codec) (decoder, error) { return startFFmpeg(ctx, ffmpeg, c) }
	}
	return l
}

// Run looks at the stream that at names, "" for none, until ctx is done; at's channel
// closes when it is another one. saw must not block.
func (l *Detector) Run(ctx context.Context, at func() (stream string, changed <-chan struct{}), report func(Sample)) error {
	if l.start == nil {
		<-ctx.Done()
		return nil
	}
	pauses := retry.Backoff{Min: time.Second, Max: time.Minute}
	for ctx.Err() == nil {
		stream, changed := at()
		l.whileWatched(ctx, stream, changed, func(within context.Context) {
			if retry.Sleep(within, l.settleTime) != nil {
				return
			}
			began := time.Now()
			err := l.watch(within, stream, report)
			if within.Err() != nil {
				return
			}
			if time.Since(began) > healthyRun {
				pauses.Reset()
			}
			wait := pauses.Next()
			if !errors.Is(err, io.EOF) && !errors.Is(err, hub.ErrNoStream) && !errors.Is(err, errCodec) {
				l.log.Warn("a picture is not looked at", "stream", stream, "err", err, "retry", wait)
			}
			_ = retry.Sleep(within, wait)
		})
	}
	return nil
}

// stay does something as long as the stream is the one to look at.
func (l *Detector) whileWatched(ctx context.Context, stream string, changed <-chan struct{}, do func(within context.Context)) {
	within, stop := context.WithCancel(ctx)
	var leaving sync.WaitGroup
	leaving.Go(func() {
		defer stop()
		select {
		case <-changed:
		case <-within.Done():
		}
	})
	defer leaving.Wait()
	defer stop()
	if stream == "" {
		<-within.Done()
		return
	}
	do(within)
}

// watch looks at a stream until it ends, is coded otherwise, or the decoder fails.
func (l *Detector) watch(ctx context.Context, stream string, report func(Sample)) error {
	sub, err := l.hub.Subscribe(stream)
	if err != nil {
		return err
	}
	defer sub.Close()
	key, err := nextKeyframe(ctx, sub)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	d, err := l.start(ctx, key.Info().Codec)
	if err != nil {
		return fmt.Errorf("start the decoder: %w", err)
	}
	var pending atomic.Int64
	var reading sync.WaitGroup
	reading.Go(func() {
		read(d, func(s Sample) {
			pending.Add(-1)
			s.Stream = stream
			report(s)
		})
		stop(errDecoderExited)
	})
	err = feed(ctx, sub, key, func(frame []byte) error {
		if pending.Add(1) > maxPending {
			return errStalled
		}
		_, err := d.Write(frame)
		return err
	})
	_ = d.Close() // it is of no use any more
	reading.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// nextKey is the next key picture.
func nextKeyframe(ctx context.Context, sub *hub.Subscriber) (media.AccessUnit, error) {
	for {
		au, err := sub.Next(ctx)
		if err != nil || au.Video() && au.Key {
			return au, err
		}
	}
}

// feed hands over key pictures, from key on.
func feed(ctx context.Context, sub *hub.Subscriber, key media.AccessUnit, to func([]byte) error) error {
	codec := key.Info().Codec
	var buf []byte
	var last time.Time
	for {
		if key.Info().Codec != codec {
			return io.EOF // the end of what this decoder can read
		}
		if now := time.Now(); now.Sub(last) >= sampleInterval {
			last = now
			buf = append(annexb.Append(buf[:0], &key), delimiter(codec)...)
			if err := to(buf); err != nil {
				return fmt.Errorf("hand over a picture: %w", err)
			}
		}
		var err error
		if key, err = nextKeyframe(ctx, sub); err != nil {
			return err
		}
	}
}

// ends is what tells a parser that a picture is whole, else it waits for the next: an
// access unit delimiter (H.264, 7.3.2.4; H.265, 7.3.2.5).
func delimiter(c media.Codec) []byte {
	switch c {
	case media.H264:
		return []byte{0, 0, 0, 1, 0x09, 0xf0}
	case media.H265:
		return []byte{0, 0, 0, 1, 0x46, 0x01, 0x50}
	}
	return nil
}
