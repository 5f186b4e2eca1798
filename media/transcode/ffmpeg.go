package transcode

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"obvan/internal/piped"
	"obvan/media"
)

// ffmpegDecoder decodes, in an ffmpeg process, what this process can't: HE-AAC, surround,
// unusual rates. It sends frames with ADTS headers and gets samples back; the packets are
// made here, as for inProcess, which keeps the delay low and the times exact.
type ffmpegDecoder struct {
	adts  adtsHeader
	frame time.Duration // of one AAC frame
	in    *os.File
	stop  context.CancelFunc
	ended sync.WaitGroup

	mu      sync.Mutex
	started bool
	due     time.Duration // the time at which the next frame should begin
	anchors []anchor      // where the timeline jumps, oldest first
	written int64         // frames
	failed  error
}

// anchor is the time of one sample of ffmpeg's output.
type anchor struct {
	sample int64
	pts    time.Duration
}

const (
	ffmpegWriteTimeout = 2 * time.Second
	maxAnchors         = 64
)

func newFFmpegDecoder(track *media.Track, ffmpeg string, emit func(media.AccessUnit)) (*ffmpegDecoder, error) {
	adts, err := newADTSHeader(track.Config)
	if err != nil {
		return nil, err
	}
	p, err := newPacker(adts.outputChannels(), emit)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	// Not "-fflags nobuffer": with it ffmpeg drops the frames that it probes.
	cmd := exec.CommandContext(ctx, ffmpeg, "-hide_banner", "-loglevel", "quiet",
		"-flags", "low_delay", "-probesize", "32", "-analyzeduration", "0", "-f", "aac", "-i", "pipe:0",
		"-f", "s16le", "-ar", fmt.Sprint(Rate), "-ac", fmt.Sprint(p.channels), "-flush_packets", "1", "pipe:1")
	cmd.WaitDelay = time.Second
	in, out, err := piped.Start(cmd)
	if err != nil {
		stop()
		return nil, fmt.Errorf("%w: start ffmpeg: %w", ErrCodec, err)
	}
	c := &ffmpegDecoder{adts: adts, frame: 1024 * time.Second / time.Duration(adts.rate), in: in, stop: stop}
	c.ended.Go(func() {
		err := c.read(out, p)
		stop()
		c.fail(errors.Join(err, cmd.Wait()))
		_ = out.Close()
	})
	return c, nil
}

func (c *ffmpegDecoder) Write(au *media.AccessUnit) error {
	if len(au.Data) > 0 && len(au.Data) <= maxADTS && c.place(au.PTS) {
		_ = c.in.SetWriteDeadline(time.Now().Add(ffmpegWriteTimeout))
		if _, err := c.in.Write(append(c.adts.header(len(au.Data)), au.Data...)); err != nil {
			c.fail(fmt.Errorf("write to ffmpeg: %w", err))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// place records the time of a frame, because ffmpeg's samples have none, and reports
// whether the frame is to be decoded.
func (c *ffmpegDecoder) place(pts time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	skew := pts - c.due
	if c.started && skew < -maxSkew || len(c.anchors) >= maxAnchors {
		return false
	}
	if !c.started || skew > maxSkew {
		c.anchors = append(c.anchors, anchor{c.written * 1024 * Rate / int64(c.adts.rate), pts})
		c.started, c.due = true, pts
	}
	c.due += c.frame
	c.written++
	return true
}

// read makes packets of the samples that ffmpeg returns.
func (c *ffmpegDecoder) read(out io.Reader, p *packer) error {
	r := bufio.NewReaderSize(out, 1<<16)
	raw, pcm := make([]byte, 2*packetSamples*p.channels), make([]float32, packetSamples*p.channels)
	for n := int64(0); ; n += packetSamples {
		if _, err := io.ReadFull(r, raw); err != nil {
			return fmt.Errorf("read from ffmpeg: %w", err)
		}
		for i := range pcm {
			pcm[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:]))) / 32768
		}
		if err := p.write(c.when(n), pcm, time.Now()); err != nil {
			return err
		}
	}
}

// when is the time of the n-th sample.
func (c *ffmpegDecoder) when(n int64) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.anchors) > 1 && c.anchors[1].sample <= n {
		c.anchors = c.anchors[1:]
	}
	if len(c.anchors) == 0 {
		return samples(n)
	}
	return c.anchors[0].pts + samples(n-c.anchors[0].sample)
}

func (c *ffmpegDecoder) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = fmt.Errorf("%w: %w", ErrCodec, err)
	}
}

func (c *ffmpegDecoder) Close() error {
	c.stop()
	err := c.in.Close()
	c.ended.Wait()
	return err
}
