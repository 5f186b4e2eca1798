package freezedetect

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"obvan/internal/piped"
	"obvan/media"
	"obvan/monitor/annexb"
)

const (
	stallTimeout = 3 * time.Second
	killTimeout  = time.Second
	maxPixels    = 8192 * 4320
)

// ffmpegDecoder is an ffmpeg process that decodes.
type ffmpegDecoder struct {
	cmd     *exec.Cmd
	in, out *os.File
	stop    context.CancelFunc
}

// startFFmpeg starts ffmpeg. The thumbnails are scaled without smoothing: they must keep the
// noise, which is all that moves in a live view of a motionless scene.
func startFFmpeg(ctx context.Context, ffmpeg string, c media.Codec) (decoder, error) {
	name := annexb.Format(c)
	if name == "" {
		return nil, errCodec
	}
	ctx, stop := context.WithCancel(ctx)
	d := &ffmpegDecoder{stop: stop, cmd: exec.CommandContext(ctx, ffmpeg, "-hide_banner", "-loglevel", "quiet", "-max_pixels", fmt.Sprint(maxPixels),
		"-threads", "1", "-flags", "low_delay", "-probesize", "32", "-analyzeduration", "0", "-f", name, "-i", "pipe:0",
		"-an", "-vf", fmt.Sprintf("scale=%d:%d:flags=neighbor,format=gray", width, height), "-vsync", "passthrough",
		"-threads", "1", "-flush_packets", "1", "-f", "rawvideo", "pipe:1")}
	d.cmd.WaitDelay = killTimeout
	var err error
	if d.in, d.out, err = piped.Start(d.cmd); err != nil {
		stop()
		return nil, err
	}
	return d, nil
}

// Write sends a frame to ffmpeg.
func (d *ffmpegDecoder) Write(frame []byte) (int, error) {
	_ = d.in.SetWriteDeadline(time.Now().Add(stallTimeout))
	return d.in.Write(frame)
}

// Read reads thumbnails, one after the other.
func (d *ffmpegDecoder) Read(b []byte) (int, error) { return d.out.Read(b) }

// Close stops ffmpeg.
func (d *ffmpegDecoder) Close() error {
	d.stop()
	_ = d.in.Close()
	_ = d.cmd.Wait() // it was killed, so it always fails
	return d.out.Close()
}
