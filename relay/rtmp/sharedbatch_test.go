package rtmp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"obvan/hub"
	"obvan/media"
	chunks "obvan/media/rtmp"
	"obvan/relay"
	"obvan/relay/relaytest"
)

// member is a sender whose bytes are kept in memory.
type member struct {
	*sender
	out bytes.Buffer
}

func newMember(t *testing.T, h *hub.Hub) *member {
	t.Helper()
	sub, err := h.Subscribe(hub.Program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	m := &member{}
	m.sender = &sender{session: &session{link: relay.NewLink(nil), stream: 1}, sub: sub, dropper: relay.FrameDropper{Limit: DefaultBacklog}, batchRoom: maxBatch}
	m.pings.disabled = true
	m.w = chunks.NewWriter(&m.out)
	m.w.SetChunkSize(chunks.ChunkSize)
	return m
}

// next has m send what is new, and reports whether that was the shared batch as it is.
func (m *member) next(t *testing.T, r *sharedBatch) (joined bool) {
	t.Helper()
	before := m.sub.Position()
	if joined = m.joinBatch(r, time.Now()); joined && m.sub.Position() == before {
		t.Fatal("it has not moved on")
	}
	if _, more, err := m.fill(nil); more || err != nil {
		t.Fatalf("more %v, %v", more, err)
	}
	if _, err := m.w.Flush(); err != nil {
		t.Fatal(err)
	}
	return joined
}

// units is the media that m sent, on the program's clock.
func (m *member) units(t *testing.T) (all []chunks.Message) {
	t.Helper()
	r := chunks.NewReader(bytes.NewReader(m.out.Bytes()))
	r.Media(true)
	for {
		msg, err := r.Read()
		if err != nil {
			return all
		}
		if config := len(msg.Payload) < 2 || msg.Payload[1] == 0; config || msg.Type != chunks.TypeVideo && msg.Type != chunks.TypeAudio {
			continue
		}
		if msg.Stream != 1 {
			t.Fatalf("a message of stream %d", msg.Stream)
		}
		msg.Timestamp += timestamp(m.announced.base)
		all = append(all, msg)
	}
}

func TestSendersThatKeepUpSendTheSharedBatchAndOthersTheirOwn(t *testing.T) {
	p := relaytest.NewProgram(t, 3000)
	p.WriteFrames(relaytest.FrameRate)
	first := newMember(t, p.Hub)
	r := newSharedBatch(first.sub)
	step := func() { p.WriteFrames(3); r.read(0) }
	first.next(t, nil)
	step()
	if first.next(t, r) {
		t.Error("a sender joined the first shared batch")
	}
	for range 20 {
		if step(); !first.next(t, r) {
			t.Fatal("the shared batch was not joined")
		}
	}
	late := newMember(t, p.Hub) // at a later keyframe: its clock begins there
	late.next(t, nil)
	if step(); !late.next(t, r) || !first.next(t, r) {
		t.Error("a sender that was added does not join the shared batch")
	}
	first.dropper.FrameLost() // from here up to a keyframe it sends no video frames
	left := 0
	for range relaytest.FrameRate {
		step()
		if late.next(t, r); !first.next(t, r) {
			left++
		}
	}
	if left == 0 || left > relaytest.FrameRate/3+1 {
		t.Errorf("%d batches on its own", left)
	}
	p.SetTracks(relaytest.Tracks(0))
	p.WriteFrames(1)
	if r.read(0); first.next(t, r) || late.next(t, r) {
		t.Error("joined before it has announced the new tracks")
	}
	if step(); !first.next(t, r) || !late.next(t, r) {
		t.Error("not joined after that")
	}

	all := late.units(t)
	sent := p.Sent[slices.IndexFunc(p.Sent, func(au media.AccessUnit) bool { return au.Track == 0 && au.DTS == late.announced.base }):]
	if len(all) != len(sent) {
		t.Fatalf("%d units of %d", len(all), len(sent))
	}
	for i, msg := range all {
		if msg.Timestamp != timestamp(sent[i].DTS) || !bytes.HasSuffix(msg.Payload, sent[i].Data) {
			t.Fatalf("unit %d: %d ms, not %d, or other bytes", i, msg.Timestamp, timestamp(sent[i].DTS))
		}
	}
	if lost := int(first.link.Dropped.Load()); lost == 0 || len(first.units(t))+lost != len(p.Sent) {
		t.Errorf("%d units and %d dropped, of %d", len(first.units(t)), lost, len(p.Sent))
	}
}
