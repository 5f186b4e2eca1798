package clip

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"obvan/media"
)

const (
	convertTimeout = 5 * time.Minute
	stillLength    = "4" // seconds of the loop made from a still
	maxErrorText   = 300 // of ffmpeg's error output
)

// withDefaults fills in what the program does not define yet.
func (s Format) withDefaults() Format {
	if s.Video.Width < 16 || s.Video.Height < 16 {
		s.Video.Width, s.Video.Height = 1280, 720
	}
	if s.Video.FrameRate < 1 || s.Video.FrameRate > 120 {
		s.Video.FrameRate = 30
	}
	if s.Audio.Codec != media.AAC || s.Audio.SampleRate < 8000 {
		s.Audio.SampleRate = 48000
	}
	if s.Audio.Codec != media.AAC || s.Audio.Channels < 1 {
		s.Audio.Channels = 2
	}
	return s
}

// description is the format in a sentence, for someone who makes a clip by hand.
func (s Format) description() string {
	return fmt.Sprintf("an MP4 with H.264 %dx%d at %.4g frames/s, a keyframe every second, no B-frames, and AAC at %d Hz with %d channels",
		s.Video.Width, s.Video.Height, s.Video.FrameRate, s.Audio.SampleRate, s.Audio.Channels)
}

// convertUpload makes a clip from the upload at from: in the program's size and rates,
// with a keyframe every second. One at a time, since it takes CPU time during a show.
func (c *Clips) convertUpload(ctx context.Context, is kind, from, to string, target Format, mismatch string) error {
	target = target.withDefaults()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		return fmt.Errorf("%w (%s): install ffmpeg, or upload %s", ErrNoFFmpeg, mismatch, target.description())
	}
	ctx, cancel := context.WithTimeout(ctx, convertTimeout)
	defer cancel()
	select {
	case c.converting <- struct{}{}:
		defer func() { <-c.converting }()
	case <-ctx.Done():
		return fmt.Errorf("wait for another conversion to end: %w", ctx.Err())
	}
	stderr := &stderrText{}
	cmd := exec.CommandContext(ctx, ffmpeg, target.arguments(is, from, to)...)
	cmd.Stderr, cmd.WaitDelay = stderr, time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("convert the clip: %w", ctx.Err())
		}
		return fmt.Errorf("%w: %s", ErrConverter, stderr.message(from, to))
	}
	mismatch, err = c.checkUpload(to, target)
	if err == nil && mismatch != "" {
		err = errors.New(mismatch)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConverter, err)
	}
	return nil
}

// arguments is ffmpeg's command line.
func (s Format) arguments(is kind, from, to string) []string {
	args := []string{"-v", "error", "-nostdin", "-y", "-protocol_whitelist", "file"}
	rate := fmt.Sprintf("%.6g", s.Video.FrameRate)
	if is == movie {
		args = append(args, "-f", string(is), "-i", from)
	} else {
		args = append(args, "-f", string(is), "-loop", "1", "-framerate", rate, "-t", stillLength, "-i", from)
	}
	size := fmt.Sprintf("%d:%d", s.Video.Width, s.Video.Height)
	return append(args,
		"-map", "0:v:0", "-map", "0:a:0?", "-af", "apad", "-shortest", "-t", fmt.Sprint(maxDuration.Seconds()),
		"-vf", "scale="+size+":force_original_aspect_ratio=decrease,pad="+size+":(ow-iw)/2:(oh-ih)/2,setsar=1,fps="+rate+",format=yuv420p",
		"-c:v", "libx264", "-preset", "veryfast", "-profile:v", s.profile(), "-threads", "2", "-crf", "20", "-maxrate", "6M", "-bufsize", "6M",
		"-bf", "0", "-force_key_frames", "expr:gte(t,n_forced)", "-sc_threshold", "0",
		"-c:a", "aac", "-b:a", "128k", "-ar", fmt.Sprint(s.Audio.SampleRate), "-ac", fmt.Sprint(s.Audio.Channels),
		"-movflags", "+faststart", "-f", "mp4", to)
}

// profile is the video's profile, as x264 names it (H.264, A.2).
func (s Format) profile() string {
	if c := s.Video.Config; s.Video.Codec == media.H264 && len(c) > 1 {
		switch c[1] {
		case 66:
			return "baseline"
		case 77:
			return "main"
		}
	}
	return "high"
}

// stderrText keeps the beginning of ffmpeg's error output.
type stderrText struct{ text []byte }

func (s *stderrText) Write(p []byte) (int, error) {
	s.text = append(s.text, p[:min(len(p), maxErrorText-len(s.text))]...)
	return len(p), nil
}

// message is the error output without the paths of this machine.
func (s *stderrText) message(paths ...string) string {
	text := strings.Join(strings.Fields(string(s.text)), " ")
	for _, path := range paths {
		text = strings.ReplaceAll(text, path, "the upload")
	}
	if text == "" {
		return "no reason given"
	}
	return strings.ToValidUTF8(text, "")
}
