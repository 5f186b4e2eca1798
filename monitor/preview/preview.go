// Package preview makes a small picture of a stream that browsers can't show as it
// is: H.264 without B-frames, at most 640x360, by a child of ffmpeg. Its pictures are
// on the stream's own clock and say when the original came, so sound and latency are
// as with any other.
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

// ErrCoding is for pictures that ffmpeg is not handed here.
var ErrCodec = errors.New("no small picture can be made of this coding")

// Check says whether Run can make a small picture of tracks.
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
	stallTimeout = 2 * time.Second // ffmpeg takes nothing for so long: it hangs
	maxLag       = time.Second     // behind the stream by more: go on at the next key picture
	// The clock of transport streams wraps after 26 h (ISO/IEC 13818-1, 2.4.3.7).
	maxRun = 20 * time.Hour
)

var errCodecChanged = errors.New("the coding changed")

// Run writes small pictures of from to to, until from ends, which is no error, or ctx
// is done, or ffmpeg fails.
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
		case errors.Is(err, errCodecChanged): // au is the first that is coded so
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		default:
			return err
		}
	}
}

// next is the next key picture.
func nextKeyframe(ctx context.Context, from *hub.Subscriber) (media.AccessUnit, error) {
	for {
		au, err := from.Next(ctx)
		if err != nil || au.Video() && au.Key {
			return au, err
		}
	}
}

// one runs one child for as long as the coding stays; last is the unit that changed it.
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
		"-copyts", "-an", "-vf", skipFilter(from.Lag())+"scale=640:360:force_original_aspect_ratio=decrease:force_divisible_by=2", "-fps_mode", "passthrough",
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
		defer stop() // who feeds it waits for units, too
		read = c.read(out, to)
	})
	last, err = c.feed(ctx, from, in, first)
	_ = in.Close()
	stop()
	ended.Wait()
	_ = cmd.Wait() // it was killed
	_ = out.Close()
	if err != nil && read != nil && errors.Is(err, context.Canceled) {
		return last, fmt.Errorf("ffmpeg ended: %v", read) // its end is not that of the stream
	}
	return last, err
}

// since leaves out what was there before anybody watched, but for its end: it has to be
// decoded, but a burst of many seconds has browsers lose their sense of time.
func skipFilter(behind time.Duration) string {
	const end = 100 * time.Millisecond
	if behind <= end {
		return ""
	}
	return fmt.Sprintf(`select=gte(t\,%.3f),`, (ptsOffset + behind - end).Seconds())
}

// child is one run of ffmpeg.
type transcode struct {
	tracks media.Tracks // the picture alone
	base   time.Duration
	to     container

	mu   sync.Mutex
	sent []frameTime // the newest pictures that were handed over
}

// stamp is a picture's time on the stream's clock and when it came.
type frameTime struct {
	pts     time.Duration
	arrived time.Time
}

const (
	maxSent   = 512
	ptsOffset = 10 * time.Second // pictures before base have no negative times
)

// feed hands pictures over.
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
				return au, fmt.Errorf("hand a picture to ffmpeg: %w", err)
			}
			_ = in.SetWriteDeadline(time.Now().Add(stallTimeout))
			if _, err := in.Write(buf); err != nil {
				return au, fmt.Errorf("hand a picture to ffmpeg: %w", err)
			}
			if from.Lag() > maxLag {
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

// original finds the picture that one from ffmpeg, whose times are in milliseconds,
// was made of.
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
