// Package provision sets an OBS up for the studio: a scene with a player for each
// feed, scenes of several cameras, a lower third above them, and OBS' own stream
// towards the studio. It is planned first, so that it can be looked at, it changes
// only what differs, and it can be undone. What is not marked as ours is never
// changed or removed, but for the stream's settings, which are put back by undoing.
package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"obvan/mixer/obs/wire"
)

// Caller asks OBS; obs.Mixer and wire.Conn are ones.
type Caller interface {
	Call(ctx context.Context, params wire.Params, response any) error
}

// Feed is a camera that shall have a scene.
type Feed struct {
	ID   string // of its stream
	Name string // its scene is called so; "" is the ID
}

// Wish is how OBS shall be.
type Target struct {
	Feeds  []Feed
	Remove []string // ids of feeds whose scene may go; others that are gone are only named

	Logos bool // OBS runs on our machine, and can read the files of logos

	Play    string // where OBS plays feeds from: rtsp://127.0.0.1:8555
	Program string // where it sends its program to: rtmp://127.0.0.1:1935/mixer; "" leaves the stream alone
	Key     string // of that stream

	VideoKbps       int // 0 is 6000
	AudioKbps       int // 0 is 160
	KeyframeSeconds int // between key frames; 0 is 1
}

// Step is one change.
type Step struct {
	Text string `json:"text"` // a sentence
	do   func(ctx context.Context, c Caller) ([]Request, error)
}

// Plan is what would be done, in order.
type Plan struct {
	Steps        []Step   `json:"steps"`
	Notes        []string `json:"notes,omitempty"`        // what to know about it
	RemovedFeeds []string `json:"removedFeeds,omitempty"` // feeds that are gone and whose scenes are still there
}

// Request is one request as data, so that an undo can be kept.
type Request struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

// GetRequestName and MarshalJSON make it a wire.Params.
func (r Request) GetRequestName() string { return r.Name }

// MarshalJSON is the request's data.
func (r Request) MarshalJSON() ([]byte, error) { return r.Data, nil }

// request makes a Request of a name and fields.
func request(name string, fields map[string]any) Request {
	data, err := json.Marshal(fields)
	if err != nil {
		panic(err) // plain values only
	}
	return Request{name, data}
}

// Undo takes a set-up back, last step first. It holds the stream key that OBS had
// before: keep it where secrets are kept.
type Undo struct {
	requests []Request
}

// Empty says whether there is nothing to take back.
func (u *Undo) Empty() bool { return u == nil || len(u.requests) == 0 }

// Apply does the plan. What was done before an error is in the undo.
func (p *Plan) Apply(ctx context.Context, c Caller) (*Undo, error) {
	u := &Undo{}
	for _, step := range p.Steps {
		back, err := step.do(ctx, c)
		u.requests = append(u.requests, back...)
		if err != nil {
			return u, fmt.Errorf("%s: %w", strings.TrimSuffix(step.Text, "."), err)
		}
	}
	return u, nil
}

// Apply takes back all it can, and returns the first error. What somebody removed
// meanwhile is no error.
func (u *Undo) Apply(ctx context.Context, c Caller) error {
	var first error
	for _, r := range slices.Backward(u.requests) {
		err := c.Call(ctx, r, nil)
		if err != nil && wire.Refusal(err) != wire.CodeNotFound && first == nil {
			first = fmt.Errorf("undo: %w", err)
		}
	}
	if first == nil {
		u.requests = nil
	}
	return first
}

// Make looks at OBS and plans what is missing for the wish.
func Make(ctx context.Context, c Caller, target Target) (*Plan, error) {
	target = target.withDefaults()
	found, err := inspect(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("look at OBS: %w", err)
	}
	p := &planner{found: found, target: target, plan: &Plan{Steps: []Step{}}}
	p.lowerThird()
	p.feeds()
	p.multiCamera()
	p.removedFeeds()
	p.stream()
	return p.plan, nil
}

func (w Target) withDefaults() Target {
	if w.VideoKbps == 0 {
		w.VideoKbps = 6000
	}
	if w.AudioKbps == 0 {
		w.AudioKbps = 160
	}
	if w.KeyframeSeconds == 0 {
		w.KeyframeSeconds = 1
	}
	w.Play = strings.TrimSuffix(w.Play, "/")
	w.Feeds = slices.Clone(w.Feeds)
	names := map[string]bool{}
	for i := range w.Feeds {
		f := &w.Feeds[i]
		if f.Name == "" {
			f.Name = f.ID
		}
		if names[f.Name] { // two cameras of one name
			f.Name += " (" + f.ID + ")"
		}
		names[f.Name] = true
	}
	return w
}
