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

// maxSide bounds a still: a few bytes of PNG can promise gigabytes of picture.
const maxSide = 8192

// Shape is what a clip has to be like to follow the program without a change of its
// coding.
type Format struct {
	Video media.Track
	Audio media.Track
}

// Put keeps the MP4, PNG or JPEG of r as the clip called name, in place of the one
// there was. One that is not of the program's shape is converted; without ffmpeg
// that is refused. Errors are ErrTooBig, ErrNotAClip, ErrNoFFmpeg, ErrConverter,
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
		return fmt.Errorf("make the clips' folder: %w", err)
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
	mismatch := "a still has to be made into a clip"
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
		return fmt.Errorf("keep the clip: %w", err)
	}
	return nil
}

// room checks that one more clip is not too many.
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

// take writes what is uploaded to a file beside the clips, so that it can become one
// by a rename.
func (c *Clips) saveUpload(r io.Reader) (path string, err error) {
	f, err := os.CreateTemp(c.dir, ".upload-*")
	if err != nil {
		return "", fmt.Errorf("take the upload: %w", err)
	}
	n, err := io.Copy(f, io.LimitReader(r, MaxBytes+1))
	err = errors.Join(err, f.Sync(), f.Close())
	switch {
	case err != nil:
		err = fmt.Errorf("take the upload: %w", err)
	case n > MaxBytes:
		err = fmt.Errorf("%w: %d MB at most", ErrTooBig, MaxBytes>>20)
	default:
		return f.Name(), nil
	}
	os.Remove(f.Name())
	return "", err
}

// kind is what an upload is, as its own bytes say: ffmpeg is told, not asked, so that
// no playlist in disguise makes it read other files.
type kind string

const (
	movie kind = "mov"
	png   kind = "png_pipe"
	jpeg  kind = "jpeg_pipe"
)

func kindOf(path string) (kind, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("look at the upload: %w", err)
	}
	defer f.Close()
	head := make([]byte, 12)
	n, _ := io.ReadFull(f, head) // a short file is none of the kinds
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
		return "", fmt.Errorf("%w: it is neither an MP4 nor a PNG nor a JPEG", ErrNotAClip)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("look at the upload: %w", err)
	}
	size, _, err := image.DecodeConfig(io.LimitReader(f, 1<<20))
	if err != nil {
		return "", fmt.Errorf("%w: the picture can't be read", ErrNotAClip)
	}
	if size.Width > maxSide || size.Height > maxSide {
		return "", fmt.Errorf("%w: %d pixels wide and high at most", ErrTooBig, maxSide)
	}
	return is, nil
}

// fit says in words why an MP4 can't be played as it is; "" when it can.
func (c *Clips) checkUpload(path string, target Format) (mismatch string, err error) {
	f, err := open(path)
	if errors.Is(err, ErrTooBig) {
		return "", err
	}
	if err != nil {
		return "it is not plain H.264 and AAC", nil // ffmpeg may know better
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
			return "it does not begin with a key frame", nil
		case s.pts-s.dts != f.video[0].pts-f.video[0].dts:
			return "it has B-frames", nil
		case au.Key:
			key = s.dts
		case s.dts-key > 2*time.Second+s.dts/time.Duration(i):
			return "its key frames are more than 2 s apart", nil
		}
	}
	return target.mismatch(f.tracks), nil
}

// differs says in words what of tracks is not as in the shape; what the shape does not
// say is as it may be. A clip without sound gets the program's silence.
func (s Format) mismatch(tracks media.Tracks) string {
	video := &tracks[0]
	if s.Video.Width > 0 && (s.Video.Width != video.Width || s.Video.Height != video.Height) {
		return fmt.Sprintf("it is %dx%d, the program %dx%d", video.Width, video.Height, s.Video.Width, s.Video.Height)
	}
	if is, want := video.FrameRate, s.Video.FrameRate; want > 0 && (is < want*0.99 || is > want*1.01) {
		return fmt.Sprintf("it has %.4g pictures a second, the program %.4g", is, want)
	}
	if len(tracks) < 2 || s.Audio.SampleRate == 0 {
		return ""
	}
	if is, want := &tracks[1], &s.Audio; is.SampleRate != want.SampleRate || is.Channels != want.Channels {
		return fmt.Sprintf("its sound is %d Hz in %d channels, the program's %d Hz in %d", is.SampleRate, is.Channels, want.SampleRate, want.Channels)
	}
	return ""
}
