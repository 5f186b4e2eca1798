package clip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // for image.DecodeConfig
	_ "image/png"
	"io"
	"os"
	"time"

	"obvan/media"
)

// maxSide limits a still: a small file may declare an enormous image.
const maxSide = 8192

// Format is the format that a clip must have so that the program can switch to it
// without a change of codec settings.
type Format struct {
	Video media.Track
	Audio media.Track
}

// Put stores the MP4, PNG or JPEG from r as the clip called name, replacing any previous
// one. A file that is not in the program's format is converted; without ffmpeg it is
// refused. Errors are ErrTooBig, ErrNotAClip, ErrNoFFmpeg, ErrConverter,
// ErrTooMany, and those of ingest.CheckName.
func (c *Clips) Put(ctx context.Context, name string, r io.Reader, target Format) error {
	path, err := c.path(name)
	if err != nil {
		return err
	}
	if err := c.checkCount(name); err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("create the clips' folder: %w", err)
	}
	upload, err := c.saveUpload(r)
	if err != nil {
		return err
	}
	defer os.Remove(upload)
	kind, err := kindOf(upload)
	if err != nil {
		return err
	}
	mismatch := "a still image must be converted to video"
	if kind == movie {
		if mismatch, err = c.checkUpload(upload, target); err != nil {
			return err
		}
	}
	if mismatch != "" {
		done := upload + suffix
		defer os.Remove(done)
		if err := c.convertUpload(ctx, kind, upload, done, target, mismatch); err != nil {
			return err
		}
		upload = done
	}
	if err := os.Rename(upload, path); err != nil {
		return fmt.Errorf("store the clip: %w", err)
	}
	return nil
}

// checkCount checks that one more clip is within the limit.
func (c *Clips) checkCount(name string) error {
	all, err := c.List()
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Name == name {
			return nil
		}
	}
	if len(all) >= maxClips {
		return fmt.Errorf("%w: %d at most", ErrTooMany, maxClips)
	}
	return nil
}

// saveUpload writes an upload to a temporary file in the clips' folder, so that a rename
// makes it a clip.
func (c *Clips) saveUpload(r io.Reader) (path string, err error) {
	f, err := os.CreateTemp(c.dir, ".upload-*")
	if err != nil {
		return "", fmt.Errorf("save the upload: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(r, MaxBytes+1))
	err = errors.Join(err, f.Sync(), f.Close())
	switch {
	case err != nil:
		err = fmt.Errorf("save the upload: %w", err)
	case n > MaxBytes:
		err = fmt.Errorf("%w: at most %d MB", ErrTooBig, MaxBytes>>20)
	default:
		return f.Name(), nil
	}
	os.Remove(f.Name())
	return "", err
}

// kind is an upload's type by its first bytes. ffmpeg is told the type instead of
// detecting it, so that an upload can't make it open other files.
type kind string

const (
	movie kind = "mov"
	png   kind = "png_pipe"
	jpeg  kind = "jpeg_pipe"
)

func kindOf(path string) (kind, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the upload: %w", err)
	}
	defer f.Close()
	head := make([]byte, 12)
	n, _ := io.ReadFull(f, head) // a short file is none of these
	head = head[:n]
	if len(head) == 12 && string(head[4:8]) == "ftyp" { // ISO/IEC 14496-12, 4.3
		return movie, nil
	}
	is := kind("")
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		is = png
	case bytes.HasPrefix(head, []byte{0xff, 0xd8, 0xff}):
		is = jpeg
	default:
		return "", fmt.Errorf("%w: it is not an MP4, PNG or JPEG", ErrNotAClip)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("read the upload: %w", err)
	}
	size, _, err := image.DecodeConfig(io.LimitReader(f, 1<<20))
	if err != nil {
		return "", fmt.Errorf("%w: the image can't be read", ErrNotAClip)
	}
	if size.Width > maxSide || size.Height > maxSide {
		return "", fmt.Errorf("%w: at most %d pixels wide and high", ErrTooBig, maxSide)
	}
	return is, nil
}

// checkUpload says why an MP4 can't be played as it is; "" when it can.
func (c *Clips) checkUpload(path string, target Format) (mismatch string, err error) {
	f, err := open(path)
	if errors.Is(err, ErrTooBig) {
		return "", err
	}
	if err != nil {
		return "it is not plain H.264 and AAC", nil // ffmpeg may still be able to convert it
	}
	defer f.close()
	key := time.Duration(0)
	for i := range f.video {
		au, err := f.videoFrame(i)
		if err != nil {
			return "", err
		}
		s := &f.video[i]
		switch {
		case i == 0 && !au.Key:
			return "it does not begin with a keyframe", nil
		case s.pts-s.dts != f.video[0].pts-f.video[0].dts:
			return "it has B-frames", nil
		case au.Key:
			key = s.dts
		case s.dts-key > 2*time.Second+s.dts/time.Duration(i):
			return "its keyframes are more than 2 s apart", nil
		}
	}
	return target.mismatch(f.tracks), nil
}

// mismatch says how tracks differ from the format; what the format leaves open may be
// anything. A clip without audio matches: the program adds silence.
func (s Format) mismatch(tracks media.Tracks) string {
	video := &tracks[0]
	if s.Video.Width > 0 && (s.Video.Width != video.Width || s.Video.Height != video.Height) {
		return fmt.Sprintf("it is %dx%d, the program %dx%d", video.Width, video.Height, s.Video.Width, s.Video.Height)
	}
	if is, want := video.FrameRate, s.Video.FrameRate; want > 0 && (is < want*0.99 || is > want*1.01) {
		return fmt.Sprintf("it has %.4g frames/s, the program %.4g", is, want)
	}
	if len(tracks) < 2 || s.Audio.SampleRate == 0 {
		return ""
	}
	if is, want := &tracks[1], &s.Audio; is.SampleRate != want.SampleRate || is.Channels != want.Channels {
		return fmt.Sprintf("its audio has %d Hz and %d channels, the program's %d Hz and %d", is.SampleRate, is.Channels, want.SampleRate, want.Channels)
	}
	return ""
}
