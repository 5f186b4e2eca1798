package rtmp

import (
	"context"
	"io"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/flv"
	"obvan/media/rtmp"
	"obvan/media/rtmp/edge"
)

const (
	// A player that is further behind than this skips to the newest keyframe.
	maxLag = 2 * time.Second
	// Bytes written at once, when a player starts or catches up.
	batch = 256 << 10
)

// player sends one stream to one client.
type player struct {
	sub    *hub.Subscriber
	stream uint32
	tracks *media.Tracks
	clock  rtmp.Rebase
	head   [flv.MaxHeader]byte
}

// run implements edge.Player.
func (p *player) run(ctx context.Context, out *edge.Out) error {
	defer p.sub.Close()
	p.stream = out.Stream()
	for {
		au, err := p.sub.Next(ctx)
		if err == io.EOF || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		w := out.Begin()
		p.add(w, &au)
		for w.Pending() < batch {
			if au, err = p.sub.TryNext(); err != nil {
				break // the next call of Next returns the error, if it is one
			}
			p.add(w, &au)
		}
		if err := out.End(); err != nil {
			return err
		}
		if p.sub.Latency() > maxLag {
			p.sub.SkipToKeyframe()
		}
	}
}

// add writes a unit, preceded by the codec configuration when it changed.
func (p *player) add(w *rtmp.Writer, au *media.AccessUnit) {
	now := p.clock.Stamp(au.DTS)
	if au.Tracks != p.tracks {
		p.tracks = au.Tracks
		p.configure(w, now)
	}
	h := rtmp.Header{Chunks: rtmp.ChunksAudio, Type: rtmp.TypeAudio, Stream: p.stream, Timestamp: now}
	if au.Video() {
		h.Chunks, h.Type = rtmp.ChunksVideo, rtmp.TypeVideo
	}
	w.Add(h, flv.AppendHeader(p.head[:0], au), au.Data)
}

func (p *player) configure(w *rtmp.Writer, now uint32) {
	w.Add(rtmp.Header{Chunks: rtmp.ChunksData, Type: rtmp.TypeData, Stream: p.stream, Timestamp: now}, flv.PlayMetadata(*p.tracks), nil)
	for i := range *p.tracks {
		t := &(*p.tracks)[i]
		if conf := flv.VideoConfig(t); conf != nil {
			w.Add(rtmp.Header{Chunks: rtmp.ChunksVideo, Type: rtmp.TypeVideo, Stream: p.stream, Timestamp: now}, conf, nil)
		}
		if conf := flv.AudioConfig(t); conf != nil {
			w.Add(rtmp.Header{Chunks: rtmp.ChunksAudio, Type: rtmp.TypeAudio, Stream: p.stream, Timestamp: now}, conf, nil)
		}
	}
}
