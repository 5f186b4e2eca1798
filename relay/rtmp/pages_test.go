package rtmp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/sink"
)

// What is sent for many at once lies with the system until each far end has it, and a slow
// one has it long after the next was sent.
func TestManyDestinationsGetTheSameBytesAndSlowOnesNoOthers(t *testing.T) {
	t.Parallel()
	const many, slow, enough = 12, 3, 60
	far := farEnd(t, nil)
	far.Behave(func(key string) (how sink.Behaviour) {
		if key < fmt.Sprintf("key%02d", slow) {
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
		u, err := url.Parse(far.URL())
		if err != nil {
			t.Fatal(err)
		}
		u.Fragment = fmt.Sprintf("key%02d", i)
		all.Go(func() {
			defer sub.Close()
			if err := out.Push(ctx, u, sub, relay.NewLink(nil)); err != nil {
				t.Errorf("%s: %v", u.Fragment, err)
			}
		})
	}
	sent := map[time.Duration][]byte{} // by time, from the first of the session on
	order := []time.Duration{}
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	arrived := func() bool {
		for i := range many {
			s := far.Last(fmt.Sprintf("key%02d", i))
			if s == nil || i >= slow && len(s.Units()) < enough || len(s.Units()) < enough/4 {
				return false
			}
		}
		return true
	}
	testkit.Eventually(t, 30*time.Second, func() bool {
		select {
		case <-tick.C:
		default:
			return false
		}
		n := len(order)
		data := make([]byte, 100+rand.IntN(56_000))
		for i := range data {
			data[i] = byte(rand.Uint32())
		}
		binary.BigEndian.PutUint32(data, uint32(len(data)-4)) // one NAL unit, a slice
		data[4] = 0x41
		at := time.Duration(n) * 40 * time.Millisecond
		order, sent[at] = append(order, at), data
		p.Write(media.AccessUnit{DTS: at, PTS: at, Key: n%25 == 0, Data: data, Arrived: time.Now()})
		return n%10 == 0 && arrived()
	}, "all have some")
	for i := range many {
		units := far.Last(fmt.Sprintf("key%02d", i)).Units()
		base := time.Duration(-1)
		for at, data := range sent {
			if bytes.Equal(data, units[0].Data) {
				base = at
			}
		}
		for n, u := range units {
			if base < 0 || !bytes.Equal(sent[base+u.DTS], u.Data) {
				t.Errorf("destination %d: unit %d of %d is none that was sent then", i, n, len(units))
				break
			}
			if i >= slow && u.DTS != time.Duration(n)*40*time.Millisecond {
				t.Errorf("destination %d: one is missing before unit %d", i, n)
				break
			}
		}
	}
}
