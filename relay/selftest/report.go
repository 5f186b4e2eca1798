package selftest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"obvan/relay"
)

// Report is what a drill showed.
type Report struct {
	At      time.Time `json:"at"`      // when it began
	Seconds float64   `json:"seconds"` // for which the bad ones were there
	Frames  int       `json:"frames"`  // of the program meanwhile
	Healthy []Healthy `json:"healthy"`
	Faulty  []Faulty  `json:"faulty"`
	OK      bool      `json:"ok"`
	Summary string    `json:"summary"` // what came of it, in one sentence
}

// Good is a destination that did nothing wrong: it must not notice the others.
type Healthy struct {
	Name         string  `json:"name"`
	MissedFrames int     `json:"missedFrames"` // pictures
	P99Ms        float64 `json:"p99Ms"`        // from the program to its far end, with the bad ones
	AloneMs      float64 `json:"aloneMs"`      // the same, before they came
	OK           bool    `json:"ok"`
	Summary      string  `json:"summary"`
}

// Bad is a destination whose far end misbehaves: its light must say so.
type Faulty struct {
	Kind          string        `json:"kind"`
	States        []relay.State `json:"states"` // seen, in order; repetitions left out
	Attempt       int           `json:"attempt"`
	FramesDropped uint64        `json:"framesDropped"` // pictures left out
	Reason        string        `json:"reason"`        // the last one said
	OK            bool          `json:"ok"`
	Summary       string        `json:"summary"`
}

// mostLate is how much slower a good one may get by the bad ones' company: what a busy
// machine's scheduler does. One that waits for another waits for seconds.
const maxSlowdown = 150 * time.Millisecond

// judge fills in what the figures mean.
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
			g.Summary = fmt.Sprintf("missed %d of %d pictures", g.MissedFrames, r.Frames)
		case slower > maxSlowdown:
			g.Summary = fmt.Sprintf("got its pictures %.0f ms later than alone (p99 %.0f ms)", g.P99Ms-g.AloneMs, g.P99Ms)
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
			b.OK, b.Summary = true, "said what it should: "+b.statesText()
		} else {
			wrong = append(wrong, b.Kind+" "+b.Summary)
		}
	}
	if r.OK = len(wrong) == 0; r.OK {
		r.Summary = fmt.Sprintf("%d good destinations missed nothing in %.0f s beside %d bad ones, and every light was right.", len(r.Healthy), r.Seconds, len(r.Faulty))
	} else {
		r.Summary = "The drill failed: " + strings.Join(wrong, "; ") + "."
	}
}

// rule is which states a kind of far end must and may lead to.
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

// fault is what was wrong with a bad one's light; "" when nothing was.
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
		return "left no picture out although it is slow"
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
	fmt.Fprintf(&b, "drill of %.0f s, %d pictures: %s\n", r.Seconds, r.Frames, r.Summary)
	for _, g := range r.Healthy {
		fmt.Fprintf(&b, "  %-8s %s\n", g.Name, g.Summary)
	}
	for _, faulty := range r.Faulty {
		fmt.Fprintf(&b, "  %-8s %s; %d attempts, %d pictures left out\n", faulty.Kind, faulty.Summary, faulty.Attempt, faulty.FramesDropped)
	}
	return b.String()
}
