package rtmp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"net/url"
	"testing"
	"time"

	"github.com/abema/go-mp4"
	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/codecs"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"obvan/ingest/ingesttest"
	"obvan/ingest/rtmp"
	"obvan/internal/testkit"
	"obvan/media"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestContract(t *testing.T) {
	ingesttest.Test(t, ingesttest.Protocol{Scheme: "rtmp", Listen: rtmp.Listen, Publish: publish})
}

// device is a camera built on gortmplib, an implementation other than ours.
type device struct {
	client *gortmplib.Client
	writer *gortmplib.Writer
}

func publish(ctx context.Context, p ingesttest.Publication) (ingesttest.Camera, error) {
	u := &url.URL{Scheme: "rtmp", Host: p.Addr, Path: "/live", Fragment: p.Stream}
	if p.Key != "" {
		u.Fragment += "?key=" + p.Key
	}
	return dial(ctx, u, p.Tracks)
}

func dial(ctx context.Context, u *url.URL, tracks media.Tracks) (*device, error) {
	d := &device{client: &gortmplib.Client{URL: u, Publish: true, TLSConfig: &tls.Config{InsecureSkipVerify: true}}}
	if err := d.client.Initialize(ctx); err != nil {
		return nil, err
	}
	d.writer = &gortmplib.Writer{Conn: d.client}
	for _, t := range tracks {
		d.writer.Tracks = append(d.writer.Tracks, &gortmplib.Track{Codec: codec(t)})
	}
	if err := d.writer.Initialize(); err != nil {
		d.client.Close()
		return nil, err
	}
	return d, nil
}

func codec(t media.Track) codecs.Codec {
	switch t.Codec {
	case media.H265:
		var conf mp4.HvcC
		if _, err := mp4.Unmarshal(bytes.NewReader(t.Config), uint64(len(t.Config)), &conf, mp4.Context{}); err != nil {
			panic(err)
		}
		c := &codecs.H265{}
		for i, set := range []*[]byte{&c.VPS, &c.SPS, &c.PPS} {
			*set = conf.NaluArrays[i].Nalus[0].NALUnit
		}
		return c
	case media.AV1:
		return &codecs.AV1{}
	case media.AAC:
		c := &codecs.MPEG4Audio{Config: &mpeg4audio.AudioSpecificConfig{}}
		if err := c.Config.Unmarshal(t.Config); err != nil {
			panic(err)
		}
		return c
	case media.Opus:
		return &codecs.Opus{IDHeader: &opus.IDHeader{Version: 1, ChannelCount: uint8(t.Channels), PreSkip: 312, InputSampleRate: 48000}}
	}
	var conf mp4.AVCDecoderConfiguration
	conf.SetType(mp4.BoxTypeAvcC())
	if _, err := mp4.Unmarshal(bytes.NewReader(t.Config), uint64(len(t.Config)), &conf, mp4.Context{}); err != nil {
		panic(err)
	}
	return &codecs.H264{SPS: conf.SequenceParameterSets[0].NALUnit, PPS: conf.PictureParameterSets[0].NALUnit}
}

// Send sends a unit.
func (d *device) Send(au media.AccessUnit) error {
	d.client.NetConn().SetWriteDeadline(time.Now().Add(5 * time.Second))
	switch t := d.writer.Tracks[au.Track]; t.Codec.(type) {
	case *codecs.H264:
		return d.writer.WriteH264(t, au.PTS, au.DTS, nals(au.Data))
	case *codecs.H265:
		return d.writer.WriteH265(t, au.PTS, au.DTS, nals(au.Data))
	case *codecs.Opus:
		return d.writer.WriteOpus(t, au.PTS, au.Data)
	default:
		return d.writer.WriteMPEG4Audio(t, au.PTS, au.Data)
	}
}

func nals(data []byte) (nals [][]byte) {
	for len(data) > 0 {
		n := binary.BigEndian.Uint32(data)
		nals, data = append(nals, data[4:4+n]), data[4+n:]
	}
	return nals
}

// Leave disconnects with RTMP's deleteStream.
func (d *device) Leave() {
	d.client.Write(&message.CommandAMF0{ChunkStreamID: 3, Name: "deleteStream", CommandID: 6, Arguments: []any{nil, float64(1)}})
}

// Cut closes the connection without it.
func (d *device) Cut() { d.client.Close() }
