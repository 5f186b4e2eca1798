package rtsp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/rtp"
	"obvan/monitor/rtsp"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const rate = 25

var avcc, _ = hex.DecodeString("0142c00cffe100176742c00cda05067e7c0440000003004000000c83c50aa801000468ce0fc8")

func tracks() media.Tracks {
	return media.Tracks{
		{Codec: media.H264, Config: avcc, Width: 320, Height: 180, FrameRate: rate},
		{Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2},
	}
}

// rig is a hub with a play port that requires the token "sesame" for the stream "locked".
type rig struct {
	hub  *hub.Hub
	addr string
	stop context.CancelFunc
	end  chan error
}

func start(t testing.TB) *rig {
	t.Helper()
	r := &rig{hub: hub.New(), end: make(chan error, 1)}
	may := func(stream, token, remote string) error {
		if stream == "locked" && token != "sesame" {
			return errors.New("no")
		}
		return nil
	}
	s, err := rtsp.Listen(&url.URL{Scheme: "rtsp", Host: "127.0.0.1:0"}, r.hub, may, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r.addr = s.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.end <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-r.end; err != nil {
			t.Error(err)
		}
	})
	return r
}

// feed is a publisher that counts its frames.
type feed struct {
	*hub.Publisher
	n, gop, size int
	step         time.Duration // between arrivals, from began on; 0 for the wall clock
	began        time.Time
}

func (r *rig) publish(t testing.TB, name string) *feed {
	t.Helper()
	p, err := r.hub.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks(tracks())
	t.Cleanup(p.Close)
	return &feed{Publisher: p, gop: 50, size: 2000}
}

// write writes the next n frames, each with its number in it, and their audio.
func (f *feed) write(n int) {
	for range n {
		at := time.Duration(f.n) * time.Second / rate
		var arrived time.Time
		if f.step > 0 {
			arrived = f.began.Add(time.Duration(f.n) * f.step)
		}
		f.Write(media.AccessUnit{PTS: at, DTS: at, Key: f.n%f.gop == 0, Data: frame(f.n, f.n%f.gop == 0, f.size), Arrived: arrived})
		f.Write(media.AccessUnit{Track: 1, PTS: at, DTS: at, Key: true, Data: bytes.Repeat([]byte{byte(f.n) | 1}, 100), Arrived: arrived})
		f.n++
	}
}

func frame(n int, key bool, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(size))
	head := byte(0x41)
	if key {
		head = 0x65
	}
	b = append(b, head, 1, byte(n>>8)|0x80, byte(n)|1, byte(n)&1|2)
	return append(b, bytes.Repeat([]byte{0xa5}, size-5)...)
}

func number(au *media.AccessUnit) int {
	n := int(au.Data[6]&0x7f)<<8 | int(au.Data[7])&^1
	return n | int(au.Data[8])&1
}

func TestAReaderStartsAtTheNewestKeyframeImmediately(t *testing.T) {
	for _, transport := range []gortsplib.Transport{gortsplib.TransportTCP, gortsplib.TransportUDP} {
		t.Run(transport.String(), func(t *testing.T) {
			r := start(t)
			f := r.publish(t, "cam1")
			f.write(90) // keyframes 0 and 50
			v := r.watch(t, "/cam1", transport)
			v.waitFor(t, 40)
			f.write(10)
			v.waitFor(t, 50)
			got := v.frames()
			for i := range got {
				if n := number(&got[i]); n != 50+i || got[i].Key != (n == 50) {
					t.Fatalf("frame %d is number %d", i, n)
				}
				if i > 0 && got[i].PTS <= got[i-1].PTS {
					t.Fatalf("frame %d at %v, after %v", i, got[i].PTS, got[i-1].PTS)
				}
			}
			if behind := got[39].PTS - got[0].PTS; behind > 110*time.Millisecond {
				t.Errorf("the reader starts %v behind", behind)
			}
			if step := got[49].PTS - got[39].PTS; (step - 400*time.Millisecond).Abs() > time.Millisecond {
				t.Errorf("ten frames take %v", step)
			}
		})
	}
}

func TestAudioAndVideoStayInSync(t *testing.T) {
	r := start(t)
	f := r.publish(t, "cam1")
	f.write(60)
	v := r.watch(t, "/cam1", gortsplib.TransportTCP)
	v.waitFor(t, 10)
	f.write(40)
	v.waitFor(t, 50)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.srs) != 2 {
		t.Fatalf("%d sender reports", len(v.srs))
	}
	var frame, audio time.Duration
	for _, au := range v.units {
		if au.Track == 0 {
			frame = au.PTS
		} else {
			audio = au.PTS
		}
	}
	if off := (audio - frame).Abs(); off > 15*time.Millisecond {
		t.Fatalf("audio is off by %v", off)
	}
}

func TestAReaderWithoutTheTokenIsRefused(t *testing.T) {
	r := start(t)
	r.publish(t, "locked").write(1)
	for _, tc := range []struct {
		address string
		code    base.StatusCode
	}{
		{"rtsp://" + r.addr + "/locked", 401},
		{"rtsp://" + r.addr + "/locked?token=wrong", 401},
		{"rtsp://me:wrong@" + r.addr + "/locked", 401},
		{"rtsp://me:sesame@" + r.addr + "/locked", 0},
		{"rtsp://" + r.addr + "/locked?token=sesame", 0},
		{"rtsp://" + r.addr + "/other", 404},
		{"rtsp://" + r.addr + "/", 404},
	} {
		err := watch(t, &viewer{}, tc.address, gortsplib.TransportTCP)
		var status liberrors.ErrClientBadStatusCode
		if tc.code == 0 && err != nil || tc.code != 0 && (!errors.As(err, &status) || status.Code != tc.code) {
			t.Errorf("%s: %v", tc.address, err)
		}
	}
}

func TestPublishingIsRefused(t *testing.T) {
	r := start(t)
	ts := tracks()
	w, err := rtp.NewWriter(&ts)
	if err != nil {
		t.Fatal(err)
	}
	c := &gortsplib.Client{}
	err = c.StartRecording("rtsp://"+r.addr+"/cam1", w.Description())
	var status liberrors.ErrClientBadStatusCode
	if !errors.As(err, &status) || status.Code != base.StatusNotImplemented {
		t.Fatalf("err = %v", err)
	}
}

func TestAReaderIsDisconnectedWhenItsFeedEnds(t *testing.T) {
	for _, transport := range []gortsplib.Transport{gortsplib.TransportTCP, gortsplib.TransportUDP} {
		r := start(t)
		f := r.publish(t, "cam1")
		f.write(3)
		v := r.watch(t, "/cam1", transport)
		v.waitFor(t, 3)
		f.Close()
		select {
		case <-v.ended:
		case <-time.After(testkit.Allow(3 * time.Second)):
			t.Fatalf("%v: the session continues", transport)
		}
	}
}

func TestNewParameterSetsContinueTheSessionAndAnotherCodecEndsIt(t *testing.T) {
	r := start(t)
	f := r.publish(t, "cam1")
	f.write(3)
	v := r.watch(t, "/cam1", gortsplib.TransportTCP)
	v.waitFor(t, 3)
	next := tracks()
	next[0].Config = append(bytes.Clone(avcc[:len(avcc)-1]), 0xc9)
	f.SetTracks(next)
	f.n = 50
	f.write(3)
	v.waitFor(t, 6)
	next = tracks()
	next[1] = media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 2}
	f.SetTracks(next)
	f.n = 100
	f.write(1)
	select {
	case <-v.ended:
	case <-time.After(testkit.Allow(3 * time.Second)):
		t.Fatal("the session continues")
	}
}

func TestASlowReaderResumesAtAKeyframeAndDelaysNoOther(t *testing.T) {
	r := start(t)
	f := r.publish(t, "cam1")
	// Arrival times are the test's: they advance when the fast reader has received what was
	// written, however busy the machine is.
	f.gop, f.size, f.step, f.began = 10, 400<<10, 100*time.Millisecond, time.Now().Add(-time.Minute)
	f.write(1)
	slow := &viewer{gate: make(chan struct{})}
	release := sync.OnceFunc(func() { close(slow.gate) })
	if err := watch(t, slow, "rtsp://"+r.addr+"/cam1", gortsplib.TransportTCP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release) // before its client is closed, which waits for it
	fast := r.watch(t, "/cam1", gortsplib.TransportTCP)
	fast.waitFor(t, 1)
	for range 40 { // 16 MB: more than sockets and queues can store
		f.write(1)
		fast.waitFor(t, f.n)
	}
	release()
	for range 15 {
		f.write(1)
		fast.waitFor(t, f.n)
	}
	testkit.Eventually(t, 20*time.Second, func() bool {
		got := slow.frames()
		return len(got) > 0 && number(&got[len(got)-1]) == f.n-1
	}, "the slow reader does not catch up")
	got := slow.frames()
	jumps := 0
	for i := 1; i < len(got); i++ {
		if number(&got[i]) != number(&got[i-1])+1 {
			jumps++
			if !got[i].Key {
				t.Fatalf("it resumes at frame %d, which is no keyframe", number(&got[i]))
			}
		}
	}
	st, _ := r.hub.Stream("cam1")
	if jumps == 0 || st.Lost == 0 {
		t.Fatalf("%d jumps, %d lost of %d", jumps, st.Lost, f.n)
	}
	fast.waitFor(t, f.n)
}

func TestAReaderWaitsForTheTracksOfANewStream(t *testing.T) {
	r := start(t)
	p, err := r.hub.Publish("cam1", hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	var camera sync.WaitGroup
	camera.Go(func() {
		<-time.After(200 * time.Millisecond)
		p.SetTracks(tracks())
		p.Write(media.AccessUnit{Key: true, Data: frame(0, true, 100)})
	})
	v := r.watch(t, "/cam1", gortsplib.TransportTCP)
	camera.Wait()
	v.waitFor(t, 1)
}
