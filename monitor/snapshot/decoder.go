package snapshot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"obvan/hub"
	"obvan/internal/piped"
	"obvan/media"
	"obvan/monitor/annexb"
)

const (
	maxPixels    = 8192 * 4320
	maxJPEG      = 8 << 20
	maxWidth     = 1280
	stallTimeout = 3 * time.Second
	maxLag       = time.Second
	killTimeout  = time.Second
	usualRate    = 30
	fastestRate  = 240
)

// decoder is one ffmpeg process that decodes one stream.
type decoder struct {
	sub   *hub.Subscriber
	codec media.Codec
	cmd   *exec.Cmd
	in    *os.File
	out   *os.File
	ctx   context.Context
	stop  context.CancelFunc

	lastRequest atomic.Int64 // UnixNano
	frameStep   int          // one of this many frames becomes a JPEG
	output      output
}

// output is the JPEGs so far.
type output struct {
	mu          sync.Mutex
	jpeg        []byte        // the newest
	count       int           // how many were made
	currentFrom int           // from this count on, the newest shows a current frame
	next        chan struct{} // closed at each JPEG
}

func (a *output) newest() (jpeg []byte, current bool, next <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.jpeg, a.count >= a.currentFrom, a.next
}

func (a *output) add(jpeg []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.jpeg = jpeg
	a.count++
	close(a.next)
	a.next = make(chan struct{})
}

func (a *output) expect(jpegs int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.currentFrom = jpegs
}

// startDecoder starts ffmpeg. It has to decode all frames, and encodes some as JPEG.
func startDecoder(ffmpeg string, sub *hub.Subscriber, track *media.Track) (*decoder, error) {
	name := annexb.Format(track.Codec)
	if name == "" {
		return nil, ErrNoVideo
	}
	rate := track.FrameRate
	if rate < jpegsPerSecond || rate > fastestRate {
		rate = usualRate
	}
	c := &decoder{sub: sub, codec: track.Codec, frameStep: max(1, int(math.Round(rate/jpegsPerSecond))), output: output{currentFrom: math.MaxInt, next: make(chan struct{})}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.lastRequest.Store(time.Now().UnixNano())
	c.cmd = exec.CommandContext(c.ctx, ffmpeg, "-hide_banner", "-loglevel", "quiet", "-max_pixels", fmt.Sprint(maxPixels),
		"-threads", "1", "-flags", "low_delay", "-probesize", "32", "-analyzeduration", "0", "-f", name, "-i", "pipe:0",
		"-an", "-vf", fmt.Sprintf(`select=not(mod(n\,%d)),scale=w=min(%d\,iw):h=-2`, c.frameStep, maxWidth), "-vsync", "passthrough",
		"-c:v", "mjpeg", "-q:v", "4", "-threads", "1", "-flush_packets", "1", "-f", "image2pipe", "pipe:1")
	c.cmd.WaitDelay = killTimeout
	var err error
	if c.in, c.out, err = piped.Start(c.cmd); err != nil {
		c.stop()
		return nil, fmt.Errorf("start ffmpeg: %w", err)
	}
	return c, nil
}

// touch notes a request for a snapshot; it returns false when the decoder is shutting down.
func (c *decoder) touch(now time.Time) bool {
	c.lastRequest.Store(now.UnixNano())
	return c.ctx.Err() == nil
}

// run feeds and reads ffmpeg until the stream ends, ffmpeg fails, or requests stop.
func (c *decoder) run() error {
	var reading sync.WaitGroup
	reading.Go(func() {
		_ = c.read() // it always ends with an error: when ffmpeg exits
		c.stop()
	})
	err := c.feed()
	c.stop()
	c.sub.Close()
	_ = c.in.Close()
	_ = c.cmd.Wait() // it was killed, so it always fails
	reading.Wait()
	_ = c.out.Close()
	return err
}

// newest is the newest snapshot; the first request waits until the decoder has caught up with
// the stream.
func (c *decoder) newest(ctx context.Context) ([]byte, error) {
	for {
		jpeg, current, next := c.output.newest()
		if current {
			return jpeg, nil
		}
		select {
		case <-next:
		case <-c.ctx.Done():
			return nil, ErrNoVideo
		case <-ctx.Done():
			if jpeg != nil {
				return jpeg, nil
			}
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, ErrNoVideo
			}
			return nil, ctx.Err()
		}
	}
}

// feed writes the stream to ffmpeg.
func (c *decoder) feed() error {
	var buf []byte
	frames, caughtUp := 0, false
	for {
		au, err := c.sub.TryNext()
		if errors.Is(err, hub.ErrNotYet) {
			if !caughtUp { // everything since the newest keyframe is written
				caughtUp = true
				c.output.expect(max(1, (frames+c.frameStep-1)/c.frameStep))
			}
			wait, cancel := context.WithTimeout(c.ctx, idleTimeout)
			au, err = c.sub.Next(wait)
			cancel()
		}
		if c.ctx.Err() != nil || time.Since(time.Unix(0, c.lastRequest.Load())) > idleTimeout {
			return nil
		}
		if errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		if err != nil {
			return err
		}
		if !au.Video() {
			continue
		}
		if au.Info().Codec != c.codec {
			return errors.New("the codec changed")
		}
		buf = annexb.Append(buf[:0], &au)
		_ = c.in.SetWriteDeadline(time.Now().Add(stallTimeout))
		if _, err := c.in.Write(buf); err != nil {
			return fmt.Errorf("write to ffmpeg: %w", err)
		}
		frames++
		if c.sub.Latency() > maxLag && caughtUp {
			c.sub.SkipToKeyframe()
		}
	}
}

// read reads the JPEGs from ffmpeg, one after the other.
func (c *decoder) read() error {
	r := bufio.NewReaderSize(c.out, 64<<10)
	for {
		jpeg, err := readJPEG(r)
		if err != nil {
			return err
		}
		c.output.add(jpeg)
	}
}

var errJPEG = errors.New("not a JPEG, or longer than 8 MiB")

// readJPEG reads up to the end marker; its two bytes appear nowhere else in a JPEG from
// ffmpeg (ITU-T T.81, B.1.1.2).
func readJPEG(r *bufio.Reader) ([]byte, error) {
	var jpeg []byte
	for {
		part, err := r.ReadSlice(0xd9)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		jpeg = append(jpeg, part...)
		n := len(jpeg)
		if n > maxJPEG || n >= 2 && (jpeg[0] != 0xff || jpeg[1] != 0xd8) {
			return nil, errJPEG
		}
		if err == nil && n > 2 && jpeg[n-2] == 0xff {
			return jpeg, nil
		}
	}
}
