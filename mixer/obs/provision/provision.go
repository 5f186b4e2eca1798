// Package provision sets an OBS up for the studio: a scene with a player for each feed,
// scenes of several cameras, a lower third on top of them, and OBS' own stream to the
// studio. It makes a plan first, which can be shown, changes only what differs, and can
// be undone. What is not marked as ours is never changed or removed, except for the
// stream's settings, which undo restores.
package provision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"obvan/mixer/obs/wire"
)

// Caller sends requests to OBS; obs.Mixer and wire.Conn implement it.
type Caller interface {
	Call(ctx context.Context, params wire.Params, response any) error
}

// Feed is a camera that gets a scene.
type Feed struct {
	ID   string // of its stream
	Name string // the name of its scene; "" is the ID
}

// Target is how OBS is to be set up.
type Target struct {
	Feeds  []Feed
	Remove []string // IDs of feeds whose scene may be removed; other feeds that no longer exist are only reported

	Logos bool // OBS runs on our computer, and can read the files of logos

	Play    string // where OBS plays feeds from: rtsp://127.0.0.1:8555
	Program string // where it sends its program to: rtmp://127.0.0.1:1935/mixer; "" leaves the stream alone
	Key     string // of that stream

	VideoKbps       int // 0 is 6000
	AudioKbps       int // 0 is 160
	KeyframeSeconds int // between keyframes; 0 is 1
}

// Step is one change.
type Step struct {
	Text string `json:"text"` // a sentence
	do   func(ctx context.Context, c Caller) ([]Request, error)
}

// Plan is the changes, in order.
type Plan struct {
	Steps        []Step   `json:"steps"`
	Notes        []string `json:"notes,omitempty"`        // what to know about it
	RemovedFeeds []string `json:"removedFeeds,omitempty"` // feeds that no longer exist and whose scenes are still in OBS
}

// Request is one request as data, so that an undo can be stored.
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

// Undo reverts a set-up, last step first. It contains the stream key that OBS had before:
// store it where secrets are stored.
type Undo struct {
	requests []Request
}

// Empty reports whether there is nothing to undo.
func (u *Undo) Empty() bool { return u == nil || len(u.requests) == 0 }

// Apply carries out the plan. What was done before an error is in the undo.
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

// Apply undoes all it can, and returns the first error. What someone removed in OBS
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

// Make inspects OBS and plans the changes that lead to the target.
func Make(ctx context.Context, c Caller, target Target) (*Plan, error) {
	target = target.withDefaults()
	found, err := inspect(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("inspect OBS: %w", err)
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
		if names[f.Name] { // two cameras with the same name
			f.Name += " (" + f.ID + ")"
		}
		names[f.Name] = true
	}
	return w
}
