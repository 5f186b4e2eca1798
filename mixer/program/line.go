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

// strayed is a distance between a source's time and the arrival clock that is
// more than jitter: the two clocks do not run at the same speed.
const strayed = 150 * time.Millisecond

// closable is how late a splice may come after the last picture without a gap: the
// last one may have been late itself. It says nothing about frame rates: a fast
// camera that follows one over a shaky network comes as late as a slow one.
const closable = 120 * time.Millisecond

// maxPeriod is the slowest a source's pictures may come: slides, not a stall.
const maxPeriod = time.Second

// defaultAudio is the program's sound when its first source has none: AAC-LC,
// 48 kHz, stereo.
func defaultAudio() media.Track {
	return media.Track{Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2}
}

// line is the program stream being written: pictures of ever growing time, sound
// on its grid. Its zero moment ties the program's time to the wall's.
type line struct {
	pub      *hub.Publisher
	zero     time.Time
	warp     warp
	pictures pictures
	sound    sound
	opus     *translator // of the source on air, once it sends Opus

	// For the held picture: the last key frame written, and what makes pictures that
	// repeat the last one, nil where that can't be done.
	key      media.AccessUnit
	follower *h264skip.Follower

	orphans bool          // leading pictures belong to a key frame before the splice
	opened  time.Duration // when the one after it is shown, at its source
}

// pictures is what was written of the picture.
type pictures struct {
	any     bool
	last    time.Duration // decode time of the last one
	shown   time.Duration // the latest presentation time
	period  time.Duration // between two pictures
	source  time.Duration // the last one's decode time at its source
	arrived time.Time     // when the last one did
	lead    time.Duration // how far the source's clock ran ahead of the wall's since it is on air
}

func newLine(pub *hub.Publisher) *line {
	l := &line{pub: pub}
	l.sound.line = l
	return l
}

// at is the program's time of a wall time.
func (l *line) at(wall time.Time) time.Duration { return wall.Sub(l.zero) }

// begun reports whether there is a program yet.
func (l *line) begun() bool { return l.pictures.any }

// splice brings a source on air: pictures are those since its newest key frame.
func (l *line) splice(pictures []media.AccessUnit) {
	l.leave()
	tracks := pictures[0].Tracks
	pictures = worth(pictures)
	times := moments(pictures)
	newest := pictures[len(pictures)-1]
	burst := time.Duration(len(times)-1) * tick
	if !l.begun() {
		l.zero = newest.Arrived.Add(-burst)
	}
	p := &l.pictures
	before := p.period
	p.period = period(&(*tracks)[tracks.Video()], pictures)
	wall := l.at(newest.Arrived)
	end := wall
	if l.begun() {
		end = max(wall, p.last+tick+burst)
		late := func() time.Duration { return end - (p.last + p.period + burst) }
		if late() >= closable {
			l.bridge(end-burst-p.period, before, newest.Arrived)
		}
		// A little late is closed up. A real gap that can't be held stays one: sound and
		// picture would part otherwise.
		if late := late(); late > 0 && late < closable {
			end -= late
		}
	}
	l.warp = squeeze(times, wall, end)
	if l.begun() {
		l.warp.after(p.shown, pictures[0].PTS)
	}
	video := &(*tracks)[tracks.Video()]
	l.opened = pictures[0].PTS
	pictures[0].Data, l.orphans = opens(video, pictures[0].Data)
	if l.retrack(tracks) {
		pictures[0].Data = announced(video, pictures[0].Data)
	}
	l.sound.take(tracks.Audio() >= 0)
	l.opus = nil
	for _, au := range pictures {
		l.place(au)
	}
	p.lead = 0
}

// bridge holds the picture until a moment, where a source that goes off air has been
// late: nobody downstream sees a gap.
func (l *line) bridge(until, every time.Duration, now time.Time) {
	until = min(until, l.pictures.last+maxCatchUp)
	for l.follower != nil && l.pictures.last+every <= until {
		if l.repeat(every, now) != nil {
			return
		}
	}
}

// repeat writes a picture that repeats the last one.
func (l *line) repeat(every time.Duration, now time.Time) error {
	data, err := l.follower.Next()
	if err != nil {
		return err
	}
	at := l.pictures.last + every
	l.write(media.AccessUnit{Data: data, Arrived: now}, at, max(l.pictures.shown+every, at))
	return nil
}

// leave is called when a source goes off air. A source whose clock ran away from
// the wall's took the program with it: the program's zero follows, so that the
// next source joins without a gap.
func (l *line) leave() {
	p := &l.pictures
	if !p.any || p.arrived.IsZero() {
		return
	}
	if p.lead.Abs() > strayed {
		l.zero = l.zero.Add(-p.lead)
	}
	p.lead, p.arrived = 0, time.Time{}
}

// retrack starts a new generation of tracks when the source is coded in another
// way than the program is. A source without sound leaves the program's as it is. It
// reports whether pictures are coded in another way from here on.
func (l *line) retrack(of *media.Tracks) bool {
	next := media.Tracks{{}, defaultAudio()}
	if now := l.pub.Tracks(); now != nil {
		copy(next, *now)
	}
	if i := of.Video(); i >= 0 {
		next[videoTrack] = (*of)[i]
	}
	if i := of.Audio(); i >= 0 {
		next[audioTrack] = heardAs(&(*of)[i])
	}
	return l.set(next)
}

func (l *line) set(next media.Tracks) (recoded bool) {
	now := l.pub.Tracks()
	if now != nil && same(&(*now)[videoTrack], &next[videoTrack]) && same(&(*now)[audioTrack], &next[audioTrack]) {
		return false
	}
	if now == nil || !same(&(*now)[videoTrack], &next[videoTrack]) {
		l.follower = nil
		if next[videoTrack].Codec == media.H264 {
			// An error means that this stream's last picture can't be repeated so.
			l.follower, _ = h264skip.New(next[videoTrack].Config)
		}
	}
	begin := l.pictures.last
	if !l.begun() {
		begin = l.warp.to[0]
	}
	l.sound.format(&next[audioTrack], begin)
	l.pub.SetTracks(next)
	return now != nil && !bytes.Equal((*now)[videoTrack].Config, next[videoTrack].Config)
}

func same(a, b *media.Track) bool {
	return a.Codec == b.Codec && bytes.Equal(a.Config, b.Config) && a.Width == b.Width && a.Height == b.Height &&
		a.FrameRate == b.FrameRate && a.SampleRate == b.SampleRate && a.Channels == b.Channels
}

// unit writes a unit of the source on air.
func (l *line) unit(au media.AccessUnit) {
	if !au.Video() {
		l.hear(au)
		return
	}
	if now := l.pub.Tracks(); au.Key && !same(&(*now)[videoTrack], au.Info()) {
		if l.set(media.Tracks{*au.Info(), (*now)[audioTrack]}) {
			l.opened = au.PTS
			au.Data, l.orphans = opens(au.Info(), au.Data)
			au.Data = announced(au.Info(), au.Data)
			l.picture(au)
			return
		}
	}
	l.orphans = l.orphans && !au.Key
	l.picture(au)
}

// hear writes a frame of the source's sound.
func (l *line) hear(au media.AccessUnit) {
	if au.Info().Codec == media.Opus {
		l.translate(au)
		return
	}
	if now := l.pub.Tracks(); !same(&(*now)[audioTrack], au.Info()) {
		l.set(media.Tracks{(*now)[videoTrack], *au.Info()})
	}
	l.sound.source.has = true
	l.sound.write(au, l.warp.steady(au.DTS))
}

// picture writes a picture of the source on air.
func (l *line) picture(au media.AccessUnit) {
	p := &l.pictures
	step := au.DTS - p.source
	if step.Abs() > farOff { // its clock jumped: join it anew
		wall := l.at(au.Arrived)
		l.warp = squeeze([]time.Duration{au.DTS}, wall, max(p.last+p.period, wall))
		l.warp.after(p.shown, au.PTS)
		p.lead = 0
	} else if step > tick && step <= maxPeriod {
		p.period += min((step-p.period)/8, p.period/16) // one gap says little
	}
	// The least delayed picture of the last seconds tells how the clocks compare: the
	// lead leaks, so that one late picture does not count.
	leak := au.Arrived.Sub(p.arrived) / 10
	p.lead = max(l.warp.steady(au.DTS)-l.at(au.Arrived), p.lead-leak)
	l.place(au)
}

// place writes a picture of the source where it belongs.
func (l *line) place(au media.AccessUnit) {
	p := &l.pictures
	p.source, p.arrived = au.DTS, au.Arrived
	if l.orphans && orphan(&au, l.opened) {
		return
	}
	dts, pts := l.warp.at(au.DTS), l.warp.shown(au.PTS)
	if p.any && dts < p.last+tick {
		dts = p.last + tick
	}
	l.see(au.Data)
	l.write(au, dts, max(pts, dts))
}

// see lets the follower know of a picture that it did not make.
func (l *line) see(data []byte) {
	if l.follower != nil {
		l.follower.See(data)
	}
}

// write is the only place where pictures enter the program.
func (l *line) write(au media.AccessUnit, dts, pts time.Duration) {
	p := &l.pictures
	p.any, p.last, p.shown = true, dts, max(p.shown, pts)
	au.Track, au.DTS, au.PTS = videoTrack, dts, pts
	if au.Key {
		l.key = au
	}
	l.pub.Write(au)
	l.sound.follow(dts)
}

// period is how long a picture lasts: what the source's pictures say, or its
// track, or a thirtieth of a second.
func period(t *media.Track, pictures []media.AccessUnit) time.Duration {
	if d := t.FrameDuration(); d > 0 && d <= maxPeriod {
		return d
	}
	if n := len(pictures) - 1; n > 0 {
		if d := (pictures[n].DTS - pictures[0].DTS) / time.Duration(n); d > tick && d <= maxPeriod {
			return d
		}
	}
	return time.Second / 30
}
