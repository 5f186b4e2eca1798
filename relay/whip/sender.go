package whip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"obvan/hub"
	"obvan/media"
	"obvan/media/rtp"
	"obvan/relay"
)

const (
	videoRate = 90000 // the RTP clock of video (RFC 6184, 8.2.1)
	audioRate = 48000 // and of Opus (RFC 7587, 4.1)

	// packetSize keeps a packet below 1280 bytes, the least that IPv6 carries everywhere.
	packetSize = 1188

	// liveAfter is how long a receiver that reports nothing must have been connected to count
	// as live.
	liveAfter = 2 * time.Second

	longGOP = 4 * time.Second // between keyframes: more is a long wait for new viewers
)

var errBFrames = relay.NewRemoteError(relay.ErrUnsupported, "it has B-frames, which WebRTC receivers can't play smoothly; set B-frames to 0 in the encoder")

// sender writes the program to a connected peer.
type sender struct {
	*peer
	sub  *hub.Subscriber
	link *relay.Link
	out  *Output

	encoders
	position
	dropper relay.FrameDropper
	pacer   relay.Pacer
	video   rtpStream
	reports receiverReports
	latency atomic.Int64
}

// encoders is what makes packets of the program in its current codecs.
type encoders struct {
	tracks       *media.Tracks
	videoPackets *rtp.Packetiser
	audioEncoder *audioEncoder // nil until audio arrived
	audioStream  *audioStream  // the same
}

// position is where in the program the video is.
type position struct {
	started      bool
	base         time.Duration // decode time of the first video frame
	began        time.Time     // when that was sent
	lastKeyframe time.Duration // decode time of the newest keyframe
	latest       time.Duration // presentation time, to detect frames out of order
}

// rtpStream counts one RTP stream.
type rtpStream struct {
	mu       sync.Mutex
	packets  uint32
	octets   uint32
	ssrc     uint32
	reported time.Time
}

func newSender(p *peer, sub *hub.Subscriber, o *Output, link *relay.Link) *sender {
	sub.SkipToKeyframe() // the position became old while connecting
	now := time.Now()
	s := &sender{peer: p, sub: sub, link: link, out: o, position: position{began: now}, dropper: relay.FrameDropper{Limit: o.Backlog}}
	s.reports.start(now)
	return s
}

// run sends until ctx is done or the program ends (nil), or the server fails.
func (s *sender) run(ctx context.Context) error {
	within, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	var readers sync.WaitGroup
	for _, from := range s.senders {
		readers.Go(func() { s.reports.listen(from) })
	}
	go func() { lost(s.watch(within)) }()
	err := relay.Drain(within, s.sub, s.sub.TryNext, s.take)
	if s.audioEncoder != nil {
		s.audioEncoder.close()
	}
	for _, from := range s.senders { // ends the readers
		_ = from.Stop()
	}
	readers.Wait()
	if ctx.Err() != nil {
		return nil
	}
	if err == nil && within.Err() != nil {
		return context.Cause(within)
	}
	return err
}

// watch returns when the connection has ended, or the receiver no longer reports.
func (s *sender) watch(ctx context.Context) error {
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case state := <-s.states:
			switch state {
			case webrtc.PeerConnectionStateFailed:
				return fmt.Errorf("%w: the network path to the server is lost", relay.ErrStalled)
			case webrtc.PeerConnectionStateClosed:
				return fmt.Errorf("the server ended the session: %w", io.EOF)
			}
		case now := <-poll.C:
			if quiet := s.reports.silentFor(now); quiet > s.out.Stall && s.link.Sent.Load() > 0 {
				return fmt.Errorf("%w for %v", relay.ErrStalled, s.out.Stall)
			}
			if s.reports.proven() || now.Sub(s.began) >= liveAfter && s.link.Sent.Load() > 0 && s.reports.silentFor(now) < liveAfter+time.Second {
				s.link.Live()
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// take sends one unit, or notes that all were sent.
func (s *sender) take(au *media.AccessUnit, now time.Time) error {
	if au == nil {
		s.dropper.CaughtUp(now)
		s.latency.Store(0)
		return nil
	}
	return s.send(au, now)
}

// send sends one unit, unless it is dropped.
func (s *sender) send(au *media.AccessUnit, now time.Time) error {
	if au.Tracks != s.tracks {
		if err := s.announce(au.Tracks); err != nil {
			return err
		}
	}
	if !au.Video() {
		if s.started && au.DTS >= s.base {
			s.sendAudio(au)
		}
		return nil
	}
	if !s.started {
		if !au.Key {
			return nil
		}
		s.started, s.base, s.began, s.lastKeyframe = true, au.DTS, now, au.DTS
		s.dropper.Start(au.DTS, now)
	}
	switch {
	case au.Key:
		s.latest = au.PTS
		s.startGOP(au.DTS)
	case au.PTS < s.latest:
		return errBFrames
	default:
		s.latest = au.PTS
	}
	s.pacer.CountUnit(len(au.Data), au.DTS)
	age := s.dropper.Age(au.DTS, now)
	s.latency.Store(int64(age))
	if !s.dropper.ShouldSend(au, age) || !s.reports.shouldSend(au) {
		s.link.Dropped.Add(1)
		return nil
	}
	packets, err := s.videoPackets.Packets(au)
	if err != nil {
		return nil //nolint:nilerr // a broken frame: the next may be good
	}
	return s.write(s.peer.video, &s.video, packets, s.at(au))
}

// startGOP begins a group of pictures (GOP). A receiver that requests a keyframe waits for
// the next one: the program's encoder is not ours to control.
func (s *sender) startGOP(at time.Duration) {
	long := at - s.lastKeyframe
	s.lastKeyframe = at
	if s.reports.keyframeRequested() && long > longGOP && s.link.Warning() == "" {
		s.link.SetWarning(fmt.Sprintf("viewers who join wait for video: keyframes come every %.0f s; set the encoder's keyframe interval to 2 s", long.Seconds()))
	}
}

// at is a unit's time on the wall clock, as sender reports have it. Once video is sent it
// may be called from any goroutine.
func (s *sender) at(au *media.AccessUnit) time.Time { return s.began.Add(au.PTS - s.base) }

// write sends the packets of a video or audio frame.
func (s *sender) write(to *webrtc.TrackLocalStaticRTP, f *rtpStream, packets []*pion.Packet, at time.Time) error {
	for _, pkt := range packets {
		if err := to.WriteRTP(pkt); err != nil {
			if errors.Is(err, io.ErrClosedPipe) {
				return fmt.Errorf("the server ended the session: %w", io.EOF)
			}
			return fmt.Errorf("send: %w", err)
		}
		s.link.Sent.Add(uint64(pkt.MarshalSize()))
		if f == &s.video {
			s.pacePacket(pkt.MarshalSize())
		}
	}
	if len(packets) > 0 {
		s.report(f, packets, at)
	}
	return nil
}

// pacePacket waits after a packet as long as the path needs: UDP accepts everything, and
// loses it later.
func (s *sender) pacePacket(size int) {
	s.pacer.Take(size)
	for s.pacer.Refill(time.Now()); s.pacer.Wait() > 0; s.pacer.Refill(time.Now()) {
		time.Sleep(s.pacer.Wait())
	}
}

// report tells the receiver, once a second, how the stream's clock relates to the wall
// clock (RFC 3550, 6.4.1), so that audio and video are played in sync.
func (s *sender) report(f *rtpStream, packets []*pion.Packet, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, pkt := range packets {
		f.packets++
		f.octets += uint32(len(pkt.Payload))
	}
	now := time.Now()
	if now.Sub(f.reported) < time.Second {
		return
	}
	f.reported = now
	if f.ssrc == 0 {
		i := 0
		if f != &s.video {
			i = 1
		}
		f.ssrc = uint32(s.senders[i].GetParameters().Encodings[0].SSRC)
	}
	_ = s.pc.WriteRTCP([]rtcp.Packet{&rtcp.SenderReport{ // the next one may arrive
		SSRC: f.ssrc, NTPTime: rtp.NTP(at), RTPTime: packets[0].Timestamp, PacketCount: f.packets, OctetCount: f.octets,
	}})
}

// announce takes a new generation of tracks: parameter sets travel with the video.
func (s *sender) announce(tracks *media.Tracks) error {
	if err := canCarry(tracks); err != nil {
		return err
	}
	s.tracks = tracks
	if s.videoPackets == nil {
		var err error
		if s.videoPackets, err = rtp.NewPacketiserOf(&(*tracks)[tracks.Video()], 96, packetSize); err != nil {
			return relay.NewRemoteError(relay.ErrUnsupported, "invalid decoder configuration; restart the encoder of the on-air source")
		}
	}
	if s.audioEncoder != nil && !s.audioEncoder.fits(tracks) {
		s.audioEncoder.close()
		s.audioEncoder = nil
	}
	return nil
}

// sendAudio sends one audio unit, when the receiver accepts audio.
func (s *sender) sendAudio(au *media.AccessUnit) {
	if s.audioEncoder == nil {
		s.audioEncoder = newAudioEncoder(s, au.Info())
	}
	s.audioEncoder.write(au)
}

// measure brings the link's counters up to date, from the supervisor's goroutine.
func (s *sender) measure() {
	sent := s.link.Sent.Load()
	unsent := s.reports.unconfirmed(sent, time.Now())
	s.link.Unsent.Store(int64(unsent))
	s.link.Acked.Store(sent - unsent)
	s.link.RTT.Store(s.reports.rtt.Load())
	s.link.Latency.Store(s.latency.Load())
}
