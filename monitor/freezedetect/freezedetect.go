// Package freezedetect decodes one keyframe a second of one stream, to find what the sizes of
// encoded frames only suggest: that the video is of one color, or frozen. An ffmpeg process
// decodes; without ffmpeg nothing is reported.
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
	// settleTime is how long a stream has to be the watched one before ffmpeg is started:
	// cuts come in bursts.
	settleTime = 2 * time.Second
	// sampleInterval is the least time between two samples: a little less than a second, so
	// that of keyframes a second apart none is skipped.
	sampleInterval = 900 * time.Millisecond
	// maxPending is how many frames the decoder may be behind before it counts as stalled.
	maxPending = 8
	// healthyRun is how long ffmpeg has to run for the next start to be without back-off.
	healthyRun = 30 * time.Second
)

var (
	errStalled       = errors.New("the decoder does not answer")
	errDecoderExited = errors.New("the decoder exited")
	errCodec         = errors.New("this codec is not decoded")
)

// Sample is what a stream's newest keyframe shows.
type Sample struct {
	Stream string
	Black  bool // it is black, or of one color
	Frozen bool // it equals the one before
}

// decoder takes keyframes as an elementary stream, and returns a thumbnail of each.
type decoder io.ReadWriteCloser

// Detector samples streams, one at a time.
type Detector struct {
	hub        *hub.Hub
	log        *slog.Logger
	start      func(ctx context.Context, c media.Codec) (decoder, error) // nil where there is no decoder
	settleTime time.Duration
}

// New looks for ffmpeg.
func New(h *hub.Hub, log *slog.Logger) *Detector {
	d := &Detector{hub: h, log: log, settleTime: settleTime}
	if ffmpeg, err := exec.LookPath("ffmpeg"); err == nil {
		d.start = func(ctx context.Context, c media.Codec) (decoder, error) { return startFFmpeg(ctx, ffmpeg, c) }
	}
	return d
}

// Run samples the stream that watched names ("" for none) until ctx is done; the channel
// closes when it is another one. report must not block.
func (d *Detector) Run(ctx context.Context, watched func() (stream string, changed <-chan struct{}), report func(Sample)) error {
	if d.start == nil {
		<-ctx.Done()
		return nil
	}
	pauses := retry.Backoff{Min: time.Second, Max: time.Minute}
	for ctx.Err() == nil {
		stream, changed := watched()
		d.whileWatched(ctx, stream, changed, func(within context.Context) {
			if retry.Sleep(within, d.settleTime) != nil {
				return
			}
			began := time.Now()
			err := d.watch(within, stream, report)
			if within.Err() != nil {
				return
			}
			if time.Since(began) > healthyRun {
				pauses.Reset()
			}
			wait := pauses.Next()
			if !errors.Is(err, io.EOF) && !errors.Is(err, hub.ErrNoStream) && !errors.Is(err, errCodec) {
				d.log.Warn("freeze detection failed", "stream", stream, "err", err, "retry", wait)
			}
			_ = retry.Sleep(within, wait)
		})
	}
	return nil
}

// whileWatched calls do, and cancels it when the stream is no longer the watched one.
func (d *Detector) whileWatched(ctx context.Context, stream string, changed <-chan struct{}, do func(within context.Context)) {
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

// watch samples a stream until it ends, its codec changes, or the decoder fails.
func (d *Detector) watch(ctx context.Context, stream string, report func(Sample)) error {
	sub, err := d.hub.Subscribe(stream)
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
	dec, err := d.start(ctx, key.Info().Codec)
	if err != nil {
		return fmt.Errorf("start the decoder: %w", err)
	}
	var pending atomic.Int64
	var reading sync.WaitGroup
	reading.Go(func() {
		read(dec, func(s Sample) {
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
		_, err := dec.Write(frame)
		return err
	})
	_ = dec.Close() // its error adds nothing
	reading.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// nextKeyframe waits for the next keyframe.
func nextKeyframe(ctx context.Context, sub *hub.Subscriber) (media.AccessUnit, error) {
	for {
		au, err := sub.Next(ctx)
		if err != nil || au.Video() && au.Key {
			return au, err
		}
	}
}

// feed passes keyframes to the decoder, from key on.
func feed(ctx context.Context, sub *hub.Subscriber, key media.AccessUnit, to func([]byte) error) error {
	codec := key.Info().Codec
	var buf []byte
	var last time.Time
	for {
		if key.Info().Codec != codec {
			return io.EOF // this decoder was started for another codec
		}
		if now := time.Now(); now.Sub(last) >= sampleInterval {
			last = now
			buf = append(annexb.Append(buf[:0], &key), delimiter(codec)...)
			if err := to(buf); err != nil {
				return fmt.Errorf("write a frame to the decoder: %w", err)
			}
		}
		var err error
		if key, err = nextKeyframe(ctx, sub); err != nil {
			return err
		}
	}
}

// delimiter tells a parser that a frame is complete; without it the parser waits for the next
// one. It is an access unit delimiter (H.264, 7.3.2.4; H.265, 7.3.2.5).
func delimiter(c media.Codec) []byte {
	switch c {
	case media.H264:
		return []byte{0, 0, 0, 1, 0x09, 0xf0}
	case media.H265:
		return []byte{0, 0, 0, 1, 0x46, 0x01, 0x50}
	}
	return nil
}
