package clip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/abema/go-mp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/pmp4"

	"obvan/media"
	"obvan/media/silence"
)

// Limits of what a file may declare.
const (
	maxSamples = 200_000 // of all tracks: ten minutes at 120 frames/s, and of audio
	maxTracks  = 8
	maxSample  = 8 << 20
)

// file is an open clip. Its samples are read when they are due, so that a long clip
// needs little memory. Its methods are for one goroutine.
type file struct {
	f           *os.File
	tracks      media.Tracks // the video, and the audio when there is any
	video       []videoSample
	audio       []*pmp4.Sample
	silentFrame []byte // nil when there is none for this codec
	length      time.Duration
}

// videoSample is a video frame and its times.
type videoSample struct {
	sample   *pmp4.Sample
	dts, pts time.Duration
}

// open reads a clip's tables. Errors are ErrNoClip, ErrTooBig and ErrNotAClip, and say
// what is wrong with the file.
func open(path string) (*file, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoClip
	}
	if err != nil {
		return nil, err
	}
	c := &file{f: f}
	if err := c.check(); err != nil {
		f.Close()
		return nil, err
	}
	return c, nil
}

func (c *file) close() { c.f.Close() }

// replaced reports whether there is another file at path now.
func (c *file) replaced(path string) bool {
	now, err := os.Stat(path)
	was, err2 := c.f.Stat()
	return err != nil || err2 != nil || !os.SameFile(now, was)
}

// hasAudio reports whether the clip has audio.
func (c *file) hasAudio() bool { return len(c.tracks) > 1 }

// check reads the tables of the open file.
func (c *file) check() error {
	info, err := c.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a file", ErrNotAClip)
	}
	if info.Size() > MaxBytes {
		return fmt.Errorf("%w: at most %d MB", ErrTooBig, MaxBytes>>20)
	}
	return c.read(c.f, info.Size())
}

// read finds the samples in r, an MP4 of size bytes; their data is read from r later.
func (c *file) read(r io.ReadSeeker, size int64) error {
	if err := checkTableSizes(r); err != nil {
		return err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var p pmp4.Presentation
	if err := p.Unmarshal(r); err != nil {
		return fmt.Errorf("%w: the MP4 can't be read: %w", ErrNotAClip, err)
	}
	for _, t := range p.Tracks {
		if err := c.add(t, size); err != nil {
			return err
		}
	}
	return c.validate()
}

// checkTableSizes checks the number of samples that the file declares, before the
// tables are expanded: a small table may declare any number.
func checkTableSizes(r io.ReadSeeker) error {
	stbl := mp4.BoxPath{mp4.BoxTypeMoov(), mp4.BoxTypeTrak(), mp4.BoxTypeMdia(), mp4.BoxTypeMinf(), mp4.BoxTypeStbl(), mp4.BoxTypeStts()}
	tables, err := mp4.ExtractBoxWithPayload(r, nil, stbl)
	if err != nil {
		return fmt.Errorf("%w: the MP4 can't be read: %w", ErrNotAClip, err)
	}
	if len(tables) > maxTracks {
		return fmt.Errorf("%w: it has %d tracks", ErrNotAClip, len(tables))
	}
	total := uint64(0)
	for _, t := range tables {
		for _, e := range t.Payload.(*mp4.Stts).Entries {
			total += uint64(e.SampleCount)
		}
	}
	if total > maxSamples {
		return fmt.Errorf("%w: at most %v", ErrTooBig, maxDuration)
	}
	return nil
}

// add uses a track if it is the first video or the first audio track.
func (c *file) add(t *pmp4.Track, size int64) error {
	sum := int64(0)
	for _, s := range t.Samples {
		sum += int64(s.PayloadSize)
		if s.PayloadSize > maxSample || sum > size || s.GetPayload == nil {
			return fmt.Errorf("%w: its samples are larger than the file", ErrNotAClip)
		}
	}
	switch codec := t.Codec.(type) {
	case *codecs.H264:
		if c.video == nil {
			return c.addVideo(t, codec)
		}
	case *codecs.MPEG4Audio:
		if c.audio == nil {
			return c.addAudio(t, codec)
		}
	}
	return nil
}

func (c *file) addVideo(t *pmp4.Track, codec *codecs.H264) error {
	track, err := media.H264Track(codec.SPS, codec.PPS)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAClip, err)
	}
	if len(t.Samples) == 0 || t.Samples[0].IsNonSyncSample {
		return fmt.Errorf("%w: it does not begin with a keyframe", ErrNotAClip)
	}
	at, scale := int64(0), int64(t.TimeScale)
	earliest := int32(0) // the lowest composition offset, which may be negative
	for _, s := range t.Samples {
		earliest = min(earliest, s.PTSOffset)
	}
	for _, s := range t.Samples {
		dts := span(at, scale)
		c.video = append(c.video, videoSample{s, dts, dts + span(int64(s.PTSOffset)-int64(earliest), scale)})
		at += max(int64(s.Duration), 1)
		if c.length = span(at, scale); c.length > maxDuration {
			return fmt.Errorf("%w: at most %v", ErrTooBig, maxDuration)
		}
	}
	if track.FrameRate == 0 && c.length > 0 {
		track.FrameRate = float64(len(t.Samples)) / c.length.Seconds()
	}
	c.tracks = append(media.Tracks{track}, c.tracks...)
	return nil
}

// span converts a time in units of 1/scale seconds.
func span(at, scale int64) time.Duration {
	return time.Duration(at/scale)*time.Second + time.Duration(at%scale)*time.Second/time.Duration(scale)
}

func (c *file) addAudio(t *pmp4.Track, codec *codecs.MPEG4Audio) error {
	asc, err := codec.Config.Marshal()
	if err != nil {
		return fmt.Errorf("%w: its audio: %w", ErrNotAClip, err)
	}
	if codec.Config.SampleRate <= 0 {
		return fmt.Errorf("%w: its audio has no sample rate", ErrNotAClip)
	}
	track := media.Track{Codec: media.AAC, Config: asc, SampleRate: codec.Config.SampleRate, Channels: channels(codec.Config.ChannelConfig)}
	c.audio, c.silentFrame = t.Samples, silence.Frame(&track)
	c.tracks = append(c.tracks, track)
	return nil
}

// channels is the number of channels of a channelConfiguration (ISO/IEC 14496-3, table 1.19).
func channels(config uint8) int {
	if config == 7 {
		return 8
	}
	return int(config)
}

func (c *file) validate() error {
	if len(c.video) == 0 {
		return fmt.Errorf("%w: it has no H.264 video", ErrNotAClip)
	}
	if c.hasAudio() && len(c.audio) == 0 {
		c.tracks = c.tracks[:1]
	}
	return nil
}

// videoFrame reads the n-th video frame; its PTS is relative to the clip.
func (c *file) videoFrame(n int) (media.AccessUnit, error) {
	s := &c.video[n]
	data, err := s.sample.GetPayload()
	if err != nil {
		return media.AccessUnit{}, fmt.Errorf("read a video frame: %w", err)
	}
	au := media.AccessUnit{PTS: s.pts, Disposable: true}
	if au.Data, err = stripParameterSets(data, &au); err != nil {
		return media.AccessUnit{}, err
	}
	return au, nil
}

// audioFrame reads the n-th audio frame since the loop began.
func (c *file) audioFrame(n int) (media.AccessUnit, error) {
	au := media.AccessUnit{Track: 1, Key: true, Data: c.silentFrame}
	if n >= len(c.audio) && c.silentFrame != nil {
		return au, nil
	}
	data, err := c.audio[n%len(c.audio)].GetPayload()
	if err != nil {
		return au, fmt.Errorf("read audio: %w", err)
	}
	au.Data = data
	return au, nil
}

// H.264 NAL unit types (H.264, table 7-1).
const (
	nalSlice = 1
	nalIDR   = 5
	nalSPS   = 7
	nalPPS   = 8
	nalAUD   = 9
)

// stripParameterSets removes parameter sets, which belong to the track, and access unit
// delimiters. It works in place, and sets the unit's Key and Disposable.
func stripParameterSets(data []byte, au *media.AccessUnit) ([]byte, error) {
	result := data[:0]
	for rest := data; len(rest) > 0; {
		if len(rest) < 5 || binary.BigEndian.Uint32(rest) > uint32(len(rest)-4) {
			return nil, fmt.Errorf("%w: a truncated video frame", ErrNotAClip)
		}
		end := 4 + int(binary.BigEndian.Uint32(rest))
		if end < 5 {
			return nil, fmt.Errorf("%w: a video frame with an empty NAL unit", ErrNotAClip)
		}
		kind := rest[4] & 0x1f
		if kind >= nalSlice && kind <= nalIDR {
			au.Key = au.Key || kind == nalIDR
			au.Disposable = au.Disposable && rest[4]&0x60 == 0 // nal_ref_idc (H.264, 7.4.1)
		}
		if kind != nalSPS && kind != nalPPS && kind != nalAUD {
			result = append(result, rest[:end]...)
		}
		rest = rest[end:]
	}
	return result, nil
}
