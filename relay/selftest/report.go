package selftest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"obvan/relay"
)

// Report is the result of a self-test.
type Report struct {
	At      time.Time `json:"at"`      // when it began
	Seconds float64   `json:"seconds"` // how long the faulty destinations ran
	Frames  int       `json:"frames"`  // of the program in that time
	Healthy []Healthy `json:"healthy"`
	Faulty  []Faulty  `json:"faulty"`
	OK      bool      `json:"ok"`
	Summary string    `json:"summary"` // the result in one sentence
}

// Healthy is a destination without a fault: the others must not affect it.
type Healthy struct {
	Name         string  `json:"name"`
	MissedFrames int     `json:"missedFrames"` // video frames
	P99Ms        float64 `json:"p99Ms"`        // from the program to its server, with the faulty ones
	AloneMs      float64 `json:"aloneMs"`      // the same, before they started
	OK           bool    `json:"ok"`
	Summary      string  `json:"summary"`
}

// Faulty is a destination whose server misbehaves: its status must show that.
type Faulty struct {
	Kind          string        `json:"kind"`
	States        []relay.State `json:"states"` // seen, in order, without repetitions
	Attempt       int           `json:"attempt"`
	FramesDropped uint64        `json:"framesDropped"` // video frames dropped
	Reason        string        `json:"reason"`        // the last one reported
	OK            bool          `json:"ok"`
	Summary       string        `json:"summary"`
}

// maxSlowdown is how much slower a healthy destination may get beside the faulty ones:
// what a busy machine's scheduler does. One that waits for another waits for seconds.
const maxSlowdown = 150 * time.Millisecond

// assess fills in what the figures mean.
func (r *Report) assess() {
	r.OK = true
	var wrong []string
	for i := range r.Healthy {
		g := &r.Healthy[i]
		slower := time.Duration((g.P99Ms - g.AloneMs) * float64(time.Millisecond))
		switch {
		case g.P99Ms == 0:
			g.Summary = "received nothing"
		case g.MissedFrames > 0:
			g.Summary = fmt.Sprintf("missed %d of %d frames", g.MissedFrames, r.Frames)
		case slower > maxSlowdown:
			g.Summary = fmt.Sprintf("received its frames %.0f ms later than alone (p99 %.0f ms)", g.P99Ms-g.AloneMs, g.P99Ms)
		default:
			g.OK, g.Summary = true, fmt.Sprintf("missed nothing, p99 %.0f ms, alone %.0f ms", g.P99Ms, g.AloneMs)
		}
		if !g.OK {
			wrong = append(wrong, g.Name+" "+g.Summary)
		}
	}
	for i := range r.Faulty {
		b := &r.Faulty[i]
		if b.Summary = b.fault(); b.Summary == "" {
			b.OK, b.Summary = true, "status as expected: "+b.statesText()
		} else {
			wrong = append(wrong, b.Kind+" "+b.Summary)
		}
	}
	if r.OK = len(wrong) == 0; r.OK {
		r.Summary = fmt.Sprintf("%d healthy destinations missed nothing in %.0f s beside %d faulty ones, and every status was correct.", len(r.Healthy), r.Seconds, len(r.Faulty))
	} else {
		r.Summary = "The self-test failed: " + strings.Join(wrong, "; ") + "."
	}
}

// rule is which states a fault must and must not lead to.
type rule struct{ must, never []relay.State }

func rules(kind string) rule {
	switch kind {
	case Refuse:
		return rule{must: []relay.State{relay.Refused}, never: []relay.State{relay.Live}}
	case Stall, Reset:
		return rule{must: []relay.State{relay.Live, relay.Retrying}, never: []relay.State{relay.Refused}}
	case Slow:
		return rule{must: []relay.State{relay.Live}, never: []relay.State{relay.Refused}}
	case Close:
		return rule{must: []relay.State{relay.Retrying}, never: []relay.State{relay.Live}}
	case Silent:
		return rule{must: []relay.State{relay.Connecting}, never: []relay.State{relay.Live, relay.Refused}}
	}
	return rule{must: []relay.State{relay.Live}, never: []relay.State{relay.Refused, relay.Retrying}}
}

// fault is what was wrong with a faulty destination's status; "" when nothing was.
func (b *Faulty) fault() string {
	want := rules(b.Kind)
	for _, s := range want.must {
		if !slices.Contains(b.States, s) {
			return fmt.Sprintf("was never %s, only %s", s, b.statesText())
		}
	}
	for _, s := range want.never {
		if slices.Contains(b.States, s) {
			return fmt.Sprintf("was %s: %s", s, b.statesText())
		}
	}
	if b.Kind == Slow && b.FramesDropped == 0 {
		return "dropped no frames although it is slow"
	}
	return ""
}

func (b *Faulty) statesText() string {
	var all []string
	for _, s := range b.States {
		all = append(all, string(s))
	}
	text := strings.Join(all, ", ")
	if b.Reason != "" {
		text += " (" + b.Reason + ")"
	}
	return text
}

// String is the report as text, for logs and tests.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "self-test of %.0f s, %d frames: %s\n", r.Seconds, r.Frames, r.Summary)
	for _, g := range r.Healthy {
		fmt.Fprintf(&b, "  %-8s %s\n", g.Name, g.Summary)
	}
	for _, faulty := range r.Faulty {
		fmt.Fprintf(&b, "  %-8s %s; %d attempts, %d frames dropped\n", faulty.Kind, faulty.Summary, faulty.Attempt, faulty.FramesDropped)
	}
	return b.String()
}
