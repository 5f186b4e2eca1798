package srt_test

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"

	gosrt "github.com/datarhei/gosrt"

	"obvan/media"
	"obvan/media/mpegts/mpegtstest"
	"obvan/relay/testserver"
)

// receiver is gosrt's listener behind a path that can be impaired.
type receiver struct {
	t    testing.TB
	ln   gosrt.Listener
	path *path
	open sync.WaitGroup

	passphrase string

	testserver.SessionLog
}

// startReceiver starts one that requires a passphrase, or none, and loses one datagram in
// lose, or none.
func startReceiver(t testing.TB, passphrase string, lose int) *receiver {
	config := gosrt.DefaultConfig()
	config.ReceiverLatency, config.PeerIdleTimeout = 20*time.Millisecond, 3*time.Second
	ln, err := gosrt.Listen("srt", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	f := &receiver{t: t, ln: ln, passphrase: passphrase, path: newPath(t, ln.Addr(), lose)}
	f.open.Go(f.serve)
	t.Cleanup(func() { ln.Close(); f.path.close(); f.open.Wait() })
	return f
}

func (f *receiver) URL() string { return "srt://" + f.path.in.LocalAddr().String() }

func (f *receiver) serve() {
	for {
		req, err := f.ln.Accept2()
		if err != nil {
			return
		}
		ses := testserver.NewSession("", req.StreamId())
		how := f.Add(ses)
		if f.passphrase != "" && req.SetPassphrase(f.passphrase) != nil {
			req.Reject(gosrt.REJ_BADSECRET)
			continue
		}
		switch {
		case how.NoAnswer:
			continue
		case how.Refuse != "":
			req.Reject(gosrt.REJX_FORBIDDEN)
			continue
		}
		conn, err := req.Accept()
		if err != nil {
			continue
		}
		f.open.Go(func() { f.receive(conn, ses, how) })
	}
}

func (f *receiver) receive(conn gosrt.Conn, ses *testserver.Session, how testserver.Behaviour) {
	defer conn.Close()
	if how.CloseAfter > 0 {
		stop := time.AfterFunc(how.CloseAfter, func() { conn.Close() })
		defer stop.Stop()
	}
	r := mpegtstest.New()
	k := unitCollector{ses: ses}
	var buf [1500]byte
	for begun := false; ; begun = true {
		n, err := conn.Read(buf[:])
		if err != nil {
			break
		}
		if !begun { // what it sends proves that it has our answer
			f.path.behave(how)
		}
		if _, err := r.Write(buf[:n]); err != nil {
			f.t.Errorf("receiver: %v", err)
			break
		}
		for _, u := range r.Units {
			k.add(&u)
		}
		r.Units = r.Units[:0]
	}
	ses.Leave(true)
}

// unitCollector turns what a transport stream carries into units.
type unitCollector struct {
	ses          *testserver.Session
	video, audio *media.Track
}

func (k *unitCollector) add(u *mpegtstest.Unit) {
	unit := testserver.Unit{Video: u.Type != 0x0f, Key: true, PTS: u.PTS, DTS: u.DTS, Arrived: time.Now()}
	if !unit.Video {
		rate := [...]int{96000, 88200, 64000, 48000, 44100}[u.Data[2]>>2&0xf]
		channels := int(u.Data[2]&1)<<2 | int(u.Data[3]>>6)
		if k.audio == nil || k.audio.Channels != channels {
			k.audio = &media.Track{Codec: media.AAC, SampleRate: rate, Channels: channels}
		}
		unit.Data, unit.Track = u.Data[7:], k.audio
		k.ses.Record(unit)
		return
	}
	var sps, pps []byte
	for _, nal := range mpegtstest.NALUnits(u.Data) {
		switch nal[0] & 0x1f {
		case 9:
		case 7:
			sps = nal
		case 8:
			pps = nal
		default:
			unit.Data = append(binary.BigEndian.AppendUint32(unit.Data, uint32(len(nal))), nal...)
		}
	}
	if unit.Key = u.Random; unit.Key {
		if track, err := media.H264Track(sps, pps); err == nil {
			k.video = &track
		}
	}
	unit.Track = k.video
	k.ses.Record(unit)
}

// path is the network between: it forwards datagrams, at a rate, without some, or none.
type path struct {
	t      testing.TB
	in     *net.UDPConn
	target net.Addr
	open   sync.WaitGroup

	mu     sync.Mutex
	how    testserver.Behaviour
	since  time.Time
	freeAt time.Time // when the path has sent everything it was given
	lose   int       // one datagram in so many
	count  int
	rtt    time.Duration // added to each datagram
}

// queue is what a router holds before it drops.
const queue = 150 * time.Millisecond

func newPath(t testing.TB, target net.Addr, lose int) *path {
	in, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &path{t: t, in: in, target: target, lose: lose}
	p.open.Go(p.forward)
	return p
}

func (p *path) behave(how testserver.Behaviour) {
	p.mu.Lock()
	p.how, p.since = how, time.Now()
	p.mu.Unlock()
}

// setRTT makes the path longer.
func (p *path) setRTT(round time.Duration) {
	p.mu.Lock()
	p.rtt = round
	p.mu.Unlock()
}

func (p *path) close() {
	p.in.Close()
	p.open.Wait()
}

func (p *path) forward() {
	clients := map[string]chan datagram{}
	defer func() {
		for _, line := range clients {
			close(line)
		}
	}()
	var buf [2000]byte
	for {
		n, from, err := p.in.ReadFromUDP(buf[:])
		if err != nil {
			return
		}
		out := clients[from.String()]
		if out == nil {
			if out = p.client(from); out == nil {
				return
			}
			clients[from.String()] = out
		}
		wait, ok := p.passes(n)
		if !ok {
			continue
		}
		select {
		case out <- datagram{time.Now().Add(wait), append([]byte(nil), buf[:n]...)}:
		default: // more than a router holds
		}
	}
}

// datagram is one in flight.
type datagram struct {
	due  time.Time
	data []byte
}

// deliver forwards datagrams when they are due, in order.
func deliver(out *net.UDPConn, line <-chan datagram) {
	defer out.Close()
	for d := range line {
		time.Sleep(time.Until(d.due)) // the path is that long
		out.Write(d.data)
	}
}

// passes reports whether a datagram of n bytes arrives, and how much later.
func (p *path) passes(n int) (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.how.StallAfter > 0 && now.Sub(p.since) >= p.how.StallAfter {
		return 0, false
	}
	if p.count++; p.lose > 0 && p.count%p.lose == 0 && p.count > 10 {
		return 0, false
	}
	if p.how.Rate == 0 {
		return p.rtt, true
	}
	if p.freeAt.Before(now) {
		p.freeAt = now
	}
	if p.freeAt.Sub(now) > queue {
		return 0, false
	}
	p.freeAt = p.freeAt.Add(time.Duration(n) * time.Second / time.Duration(p.how.Rate))
	return p.freeAt.Sub(now) + p.rtt, true
}

func (p *path) client(from *net.UDPAddr) chan datagram {
	out, err := net.DialUDP("udp", nil, p.target.(*net.UDPAddr))
	if err != nil {
		p.t.Error(err)
		return nil
	}
	line := make(chan datagram, 4096)
	p.open.Go(func() { deliver(out, line) })
	p.open.Go(func() { p.forwardBack(out, from) })
	return line
}

// forwardBack is the return path. A stalled receiver sends nothing either.
func (p *path) forwardBack(out *net.UDPConn, to *net.UDPAddr) {
	var buf [2000]byte
	for {
		n, err := out.Read(buf[:])
		if err != nil {
			return
		}
		p.mu.Lock()
		stalled := p.how.StallAfter > 0 && time.Since(p.since) >= p.how.StallAfter
		p.mu.Unlock()
		if !stalled {
			p.in.WriteToUDP(buf[:n], to)
		}
	}
}
