// Package preview transcodes a stream that browsers can't play to a low-resolution one
// that they can: H.264 without B-frames, at most 640x360, made by an ffmpeg process. Its
// frames keep the timestamps and the arrival times of the original, so audio sync and
// measured latency are as with any other stream.
package preview

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"obvan/hub"
	"obvan/internal/piped"
	"obvan/media"
	"obvan/media/mpegts"
)

// ErrCodec is returned for video that can't be passed to ffmpeg.
var ErrCodec = errors.New("no preview can be made of this codec")

// Check reports whether Run can transcode tracks: nil, or ErrCodec.
func Check(tracks *media.Tracks) error {
	i := tracks.Video()
	if i < 0 {
		return ErrCodec
	}
	if _, err := mpegts.NewWriter(&media.Tracks{(*tracks)[i]}); err != nil {
		return fmt.Errorf("%w: %w", ErrCodec, err)
	}
	return nil
}

const (
	stallTimeout = 2 * time.Second // an ffmpeg that reads nothing for this long has hung
	maxLag       = time.Second     // further behind the stream, it resumes at the next keyframe
	// The clock of a transport stream wraps after 26 h (ISO/IEC 13818-1, 2.4.3.7).
	maxRun = 20 * time.Hour
)

var errCodecChanged = errors.New("the codec configuration changed")

// Run transcodes from and publishes the frames to to until from ends or ctx is done, which
// are no errors, or until ffmpeg fails.
func Run(ctx context.Context, ffmpeg string, from *hub.Subscriber, to *hub.Publisher) error {
	var au media.AccessUnit
	for {
		err := error(nil)
		if !au.Video() || !au.Key {
			au, err = nextKeyframe(ctx, from)
		}
		if err == nil {
			au, err = runOnce(ctx, ffmpeg, from, to, au)
		}
		switch {
		case errors.Is(err, errCodecChanged): // au is the first unit with the new configuration
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		default:
			return err
		}
	}
}

// nextKeyframe waits for the next keyframe.
func nextKeyframe(ctx context.Context, from *hub.Subscriber) (media.AccessUnit, error) {
	for {
		au, err := from.Next(ctx)
		if err != nil || au.Video() && au.Key {
			return au, err
		}
	}
}

// runOnce runs one ffmpeg until the codec configuration changes; last is the first unit
// after the change.
func runOnce(ctx context.Context, ffmpeg string, from *hub.Subscriber, to *hub.Publisher, first media.AccessUnit) (last media.AccessUnit, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c := &transcode{tracks: media.Tracks{*first.Info()}, base: first.DTS}
	format, err := c.chooseContainer()
	if err != nil {
		return last, fmt.Errorf("%w: %w", ErrCodec, err)
	}
	cmd := exec.CommandContext(ctx, ffmpeg, "-hide_banner", "-loglevel", "quiet",
		"-probesize", "32", "-analyzeduration", "0", "-threads", "1", "-f", format, "-i", "pipe:0",
		"-copyts", "-an", "-vf", skipFilter(from.Latency())+"scale=640:360:force_original_aspect_ratio=decrease:force_divisible_by=2", "-fps_mode", "passthrough",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-threads", "1",
		"-g", "30", "-crf", "24", "-maxrate", "1500k", "-bufsize", "750k", "-flush_packets", "1", "-flvflags", "no_duration_filesize", "-f", "flv", "pipe:1")
	cmd.WaitDelay = time.Second
	in, out, err := piped.Start(cmd)
	if err != nil {
		return last, fmt.Errorf("start ffmpeg: %w", err)
	}
	var read error
	var ended sync.WaitGroup
	ended.Go(func() {
		defer stop() // feed may be waiting for a unit
		read = c.read(out, to)
	})
	last, err = c.feed(ctx, from, in, first)
	_ = in.Close()
	stop()
	ended.Wait()
	_ = cmd.Wait() // it was killed
	_ = out.Close()
	if err != nil && read != nil && errors.Is(err, context.Canceled) {
		return last, fmt.Errorf("ffmpeg exited: %v", read) // not wrapped: the stream itself has not ended
	}
	return last, err
}

// skipFilter drops all but the last frames from before the first viewer joined: they have to
// be decoded, but browsers lose their timing when they get a burst of many seconds.
func skipFilter(behind time.Duration) string {
	const end = 100 * time.Millisecond
	if behind <= end {
		return ""
	}
	return fmt.Sprintf(`select=gte(t\,%.3f),`, (ptsOffset + behind - end).Seconds())
}

// transcode is one run of ffmpeg.
type transcode struct {
	tracks media.Tracks // the video track only
	base   time.Duration
	to     container

	mu   sync.Mutex
	sent []frameTime // the latest frames passed to ffmpeg
}

// frameTime is a frame's time on the stream's clock, and when it arrived.
type frameTime struct {
	pts     time.Duration
	arrived time.Time
}

const (
	maxSent   = 512
	ptsOffset = 10 * time.Second // so that frames before base have no negative timestamps
)

// feed passes frames to ffmpeg.
func (c *transcode) feed(ctx context.Context, from *hub.Subscriber, in *os.File, au media.AccessUnit) (media.AccessUnit, error) {
	var buf []byte
	for {
		if au.Video() {
			if info, was := au.Info(), &c.tracks[0]; info.Codec != was.Codec || !bytes.Equal(info.Config, was.Config) || au.DTS-c.base > maxRun {
				return au, errCodecChanged
			}
			c.remember(&au)
			one := au
			one.Tracks, one.Track = &c.tracks, 0
			var err error
			if buf, err = c.to.Append(buf[:0], &one, ptsOffset-c.base); err != nil {
				return au, fmt.Errorf("write a frame to ffmpeg: %w", err)
			}
			_ = in.SetWriteDeadline(time.Now().Add(stallTimeout))
			if _, err := in.Write(buf); err != nil {
				return au, fmt.Errorf("write a frame to ffmpeg: %w", err)
			}
			if from.Latency() > maxLag {
				from.SkipToKeyframe()
			}
		}
		var err error
		if au, err = from.Next(ctx); err != nil {
			return au, err
		}
	}
}

func (c *transcode) remember(au *media.AccessUnit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sent) == maxSent {
		c.sent = append(c.sent[:0], c.sent[maxSent/2:]...)
	}
	c.sent = append(c.sent, frameTime{au.PTS, au.Arrived})
}

// original finds the source frame of one that ffmpeg made, whose timestamps are in
// milliseconds.
func (c *transcode) original(at time.Duration) (frameTime, bool) {
	at += c.base - ptsOffset
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.sent) - 1; i >= 0; i-- {
		if (c.sent[i].pts - at).Abs() <= 2*time.Millisecond {
			return c.sent[i], true
		}
	}
	return frameTime{}, false
}
