package rtmp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/testserver"
)

const (
	slowCount   = 3
	unitsWanted = 60 // units
)

func keyOf(i int) string { return fmt.Sprintf("key%02d", i) }

// What is sent to many at once stays with the system until each receiver has it, and a
// slow one has it long after the next batch was sent.
func TestManyDestinationsGetTheSameBytesAndSlowOnesGetThemUnchanged(t *testing.T) {
	t.Parallel()
	const many = 12
	server := startServer(t, nil)
	server.Behave(func(key string) (how testserver.Behaviour) {
		if key < keyOf(slowCount) {
			how.Rate = 300_000 // of about 700,000 bytes a second
		}
		return how
	})
	p := relaytest.NewProgram(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	out := rtmp.New(nil)
	for i := range many {
		sub, err := p.Hub.Subscribe("program")
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(server.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.Fragment = keyOf(i)
		all.Go(func() {
			defer sub.Close()
			if err := out.Push(ctx, u, sub, relay.NewLink(nil)); err != nil {
				t.Errorf("%s: %v", u.Fragment, err)
			}
		})
	}
	sent := playRandomFrames(t, p, func() bool {
		for i := range many {
			s := server.Last(keyOf(i))
			if s == nil || i >= slowCount && len(s.Units()) < unitsWanted || len(s.Units()) < unitsWanted/4 {
				return false
			}
		}
		return true
	})
	for i := range many {
		if err := sent.has(server.Last(keyOf(i)).Units(), i >= slowCount); err != nil {
			t.Errorf("destination %d: %v", i, err)
		}
	}
}

// randomFrames is frames of random bytes, by number.
type randomFrames [][]byte

const randomFrameTime = 40 * time.Millisecond

// playRandomFrames writes some in real time until done returns true.
func playRandomFrames(t *testing.T, p *relaytest.Program, done func() bool) (sent randomFrames) {
	t.Helper()
	tick := time.NewTicker(randomFrameTime)
	defer tick.Stop()
	testkit.Eventually(t, 30*time.Second, func() bool {
		select {
		case <-tick.C:
		default:
			return false
		}
		n := len(sent)
		data := make([]byte, 100+rand.IntN(56_000))
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		binary.BigEndian.PutUint32(data, uint32(len(data)-4)) // one NAL unit, a slice
		data[4] = 0x41
		sent = append(sent, data)
		at := time.Duration(n) * randomFrameTime
		p.Write(media.AccessUnit{DTS: at, PTS: at, Key: n%25 == 0, Data: data, Arrived: time.Now()})
		return n%10 == 0 && done()
	}, "all have enough units")
	return sent
}

// has reports which of a session's units were not sent as they arrived, or, where all must
// be there, which is missing.
func (sent randomFrames) has(units []testserver.Unit, all bool) error {
	first := slices.IndexFunc(sent, func(data []byte) bool { return bytes.Equal(data, units[0].Data) })
	for n, u := range units {
		at := first + int(u.DTS/randomFrameTime)
		if first < 0 || at >= len(sent) || !bytes.Equal(sent[at], u.Data) {
			return fmt.Errorf("unit %d of %d was not sent then", n, len(units))
		}
		if all && at != first+n {
			return fmt.Errorf("one is missing before unit %d", n)
		}
	}
	return nil
}
