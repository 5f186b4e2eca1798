package program

import (
	"bytes"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/h264skip"
)

// The program's tracks are always in this order.
const (
	videoTrack = 0
	audioTrack = 1
)

// clockDrift is a distance between a source's time and the arrival clock that is more
// than jitter: the two clocks do not run at the same speed.
const clockDrift = 150 * time.Millisecond

// maxClosedGap is how late a splice may be after the last frame without leaving a gap:
// the last frame may have been late itself. It says nothing about frame rates: a fast
// camera that follows one on a bad network is as late as a slow one.
const maxClosedGap = 120 * time.Millisecond

// maxFrameDuration is the longest a source's frame may last: slides, not a stall.
const maxFrameDuration = time.Second

// defaultAudio is the program's audio track when its first source has none: AAC-LC,
// 48 kHz, stereo.
func defaultAudio() media.Track {
	return media.Track{Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2}
}

// timeline is the program stream as it is written: video frames whose time only
// increases, audio on its grid. zero ties the program's time to the wall clock.
type timeline struct {
	pub     *hub.Publisher
	zero    time.Time
	timeMap timeMap
	video   video
	audio   audioWriter
	opus    *opusTranscoder // of the source on air, once it sends Opus

	// For the freeze frame: the last keyframe written, and what makes skip frames that
	// repeat the last frame, nil where that can't be done.
	keyframe media.AccessUnit
	follower *h264skip.Follower

	leadingPictures bool          // the next leading pictures refer to frames before the splice
	keyframeShown   time.Duration // presentation time, at its source, of the keyframe they follow
}

// video is what was written of the video track.
type video struct {
	begun         bool
	lastDTS       time.Duration // of the last frame
	lastPTS       time.Duration // the latest presentation time
	frameDuration time.Duration // between two frames
	sourceDTS     time.Duration // the last frame's decode time at its source
	arrived       time.Time     // when the last frame did
	clockLead     time.Duration // how far the source's clock ran ahead of the wall clock since it is on air
}

func newTimeline(pub *hub.Publisher) *timeline {
	l := &timeline{pub: pub}
	l.audio.timeline = l
	return l
}

// timeAt is the program's time at a wall clock time.
func (l *timeline) timeAt(wall time.Time) time.Duration { return wall.Sub(l.zero) }

// begun reports whether there is a program yet.
func (l *timeline) begun() bool { return l.video.begun }

// splice brings a source on air: frames are those since its newest keyframe.
func (l *timeline) splice(frames []media.AccessUnit) {
	l.sourceLeft()
	tracks := frames[0].Tracks
	frames = neededFrames(frames)
	times := frameTimes(frames)
	newest := frames[len(frames)-1]
	burst := time.Duration(len(times)-1) * tick
	if !l.begun() {
		l.zero = newest.Arrived.Add(-burst)
	}
	p := &l.video
	before := p.frameDuration
	p.frameDuration = frameDuration(&(*tracks)[tracks.Video()], frames)
	wall := l.timeAt(newest.Arrived)
	end := wall
	if l.begun() {
		end = max(wall, p.lastDTS+tick+burst)
		late := func() time.Duration { return end - (p.lastDTS + p.frameDuration + burst) }
		if late() >= maxClosedGap {
			l.bridgeGap(end-burst-p.frameDuration, before, newest.Arrived)
		}
		// A short delay is closed up. A real gap that can't be bridged stays one:
		// otherwise audio and video would lose sync.
		if late := late(); late > 0 && late < maxClosedGap {
			end -= late
		}
	}
	l.timeMap = compressGOP(times, wall, end)
	if l.begun() {
		l.timeMap.presentAfter(p.lastPTS, frames[0].PTS)
	}
	video := &(*tracks)[tracks.Video()]
	l.keyframeShown = frames[0].PTS
	frames[0].Data, l.leadingPictures = spliceKeyframe(video, frames[0].Data)
	if l.setSourceTracks(tracks) {
		frames[0].Data = withParameterSets(video, frames[0].Data)
	}
	l.audio.setSource(tracks.Audio() >= 0)
	l.opus = nil
	for _, au := range frames {
		l.placeFrame(au)
	}
	p.clockLead = 0
}

// bridgeGap repeats the last frame until a moment, where a source that goes off air has
// been late: no one downstream sees a gap.
func (l *timeline) bridgeGap(until, every time.Duration, now time.Time) {
	until = min(until, l.video.lastDTS+maxCatchUp)
	for l.follower != nil && l.video.lastDTS+every <= until {
		if l.repeatFrame(every, now) != nil {
			return
		}
	}
}

// repeatFrame writes a frame that repeats the last one.
func (l *timeline) repeatFrame(every time.Duration, now time.Time) error {
	data, err := l.follower.Next()
	if err != nil {
		return err
	}
	at := l.video.lastDTS + every
	l.publishFrame(media.AccessUnit{Data: data, Arrived: now}, at, max(l.video.lastPTS+every, at))
	return nil
}

// sourceLeft is called when a source goes off air. A source whose clock drifted away
// from the wall clock took the program's time with it: zero follows, so that the next
// source joins without a gap.
func (l *timeline) sourceLeft() {
	p := &l.video
	if !p.begun || p.arrived.IsZero() {
		return
	}
	if p.clockLead.Abs() > clockDrift {
		l.zero = l.zero.Add(-p.clockLead)
	}
	p.clockLead, p.arrived = 0, time.Time{}
}

// setSourceTracks starts a new generation of tracks when the source's format differs
// from the program's. A source without audio leaves the program's audio track as it is.
// It reports whether the video format changes here.
func (l *timeline) setSourceTracks(of *media.Tracks) bool {
	next := media.Tracks{{}, defaultAudio()}
	if now := l.pub.Tracks(); now != nil {
		copy(next, *now)
	}
	if i := of.Video(); i >= 0 {
		next[videoTrack] = (*of)[i]
	}
	if i := of.Audio(); i >= 0 {
		next[audioTrack] = programAudio(&(*of)[i])
	}
	return l.setTracks(next)
}

func (l *timeline) setTracks(next media.Tracks) (reformatted bool) {
	now := l.pub.Tracks()
	if now != nil && sameFormat(&(*now)[videoTrack], &next[videoTrack]) && sameFormat(&(*now)[audioTrack], &next[audioTrack]) {
		return false
	}
	if now == nil || !sameFormat(&(*now)[videoTrack], &next[videoTrack]) {
		l.follower = nil
		if next[videoTrack].Codec == media.H264 {
			// An error means that this stream's last frame can't be repeated this way.
			l.follower, _ = h264skip.New(next[videoTrack].Config)
		}
	}
	begin := l.video.lastDTS
	if !l.begun() {
		begin = l.timeMap.to[0]
	}
	l.audio.format(&next[audioTrack], begin)
	l.pub.SetTracks(next)
	return now != nil && !bytes.Equal((*now)[videoTrack].Config, next[videoTrack].Config)
}

func sameFormat(a, b *media.Track) bool {
	return a.Codec == b.Codec && bytes.Equal(a.Config, b.Config) && a.Width == b.Width && a.Height == b.Height &&
		a.FrameRate == b.FrameRate && a.SampleRate == b.SampleRate && a.Channels == b.Channels
}

// writeUnit writes a unit of the source on air.
func (l *timeline) writeUnit(au media.AccessUnit) {
	if !au.Video() {
		l.writeAudio(au)
		return
	}
	if now := l.pub.Tracks(); au.Key && !sameFormat(&(*now)[videoTrack], au.Info()) {
		if l.setTracks(media.Tracks{*au.Info(), (*now)[audioTrack]}) {
			l.keyframeShown = au.PTS
			au.Data, l.leadingPictures = spliceKeyframe(au.Info(), au.Data)
			au.Data = withParameterSets(au.Info(), au.Data)
			l.writeVideo(au)
			return
		}
	}
	l.leadingPictures = l.leadingPictures && !au.Key
	l.writeVideo(au)
}

// writeAudio writes an audio frame of the source on air.
func (l *timeline) writeAudio(au media.AccessUnit) {
	if au.Info().Codec == media.Opus {
		l.transcode(au)
		return
	}
	if now := l.pub.Tracks(); !sameFormat(&(*now)[audioTrack], au.Info()) {
		l.setTracks(media.Tracks{(*now)[videoTrack], *au.Info()})
	}
	l.audio.source.hasTrack = true
	l.audio.write(au, l.timeMap.withoutExcess(au.DTS))
}

// writeVideo writes a video frame of the source on air.
func (l *timeline) writeVideo(au media.AccessUnit) {
	p := &l.video
	step := au.DTS - p.sourceDTS
	if step.Abs() > clockMismatch { // its clock jumped: align it again
		wall := l.timeAt(au.Arrived)
		l.timeMap = compressGOP([]time.Duration{au.DTS}, wall, max(p.lastDTS+p.frameDuration, wall))
		l.timeMap.presentAfter(p.lastPTS, au.PTS)
		p.clockLead = 0
	} else if step > tick && step <= maxFrameDuration {
		p.frameDuration += min((step-p.frameDuration)/8, p.frameDuration/16) // one gap says little
	}
	// The least delayed frame of the last seconds shows how the clocks compare: the lead
	// decays, so that one late frame does not count.
	leak := au.Arrived.Sub(p.arrived) / 10
	p.clockLead = max(l.timeMap.withoutExcess(au.DTS)-l.timeAt(au.Arrived), p.clockLead-leak)
	l.placeFrame(au)
}

// placeFrame writes a frame of the source at its place on the timeline.
func (l *timeline) placeFrame(au media.AccessUnit) {
	p := &l.video
	p.sourceDTS, p.arrived = au.DTS, au.Arrived
	if l.leadingPictures && isLeadingPicture(&au, l.keyframeShown) {
		return
	}
	dts, pts := l.timeMap.at(au.DTS), l.timeMap.presentation(au.PTS)
	if p.begun && dts < p.lastDTS+tick {
		dts = p.lastDTS + tick
	}
	l.noteFrame(au.Data)
	l.publishFrame(au, dts, max(pts, dts))
}

// noteFrame shows the follower a frame that it did not make.
func (l *timeline) noteFrame(data []byte) {
	if l.follower != nil {
		l.follower.Observe(data)
	}
}

// publishFrame is the only place where video frames enter the program.
func (l *timeline) publishFrame(au media.AccessUnit, dts, pts time.Duration) {
	p := &l.video
	p.begun, p.lastDTS, p.lastPTS = true, dts, max(p.lastPTS, pts)
	au.Track, au.DTS, au.PTS = videoTrack, dts, pts
	if au.Key {
		l.keyframe = au
	}
	l.pub.Write(au)
	l.audio.fillTo(dts)
}

// frameDuration is how long a frame lasts: what the source's track says, or its
// frames, or a thirtieth of a second.
func frameDuration(t *media.Track, frames []media.AccessUnit) time.Duration {
	if d := t.FrameDuration(); d > 0 && d <= maxFrameDuration {
		return d
	}
	if n := len(frames) - 1; n > 0 {
		if d := (frames[n].DTS - frames[0].DTS) / time.Duration(n); d > tick && d <= maxFrameDuration {
			return d
		}
	}
	return time.Second / 30
}
