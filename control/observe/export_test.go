package observe

import (
	"time"

	"obvan/control"
	"obvan/hub"
	"obvan/relay/platform"
)

type (
	ProgramMeter = meter
	Warnings     = warnings
	FeedEvents   = feedEvents
)

var Uneven = uneven

func (m *meter) Take(now time.Time, st hub.Stats, h *hub.Hub) { m.take(now, st, nil, inspect(h)) }
func (m *meter) Is() platform.Bitstream                       { return m.is }

func (w *warnings) Update(now time.Time, texts []string) { w.update(now, texts) }
func (w *warnings) Shown() []string                      { return w.shown() }
func (w *warnings) Len() int                             { return len(w.all) }

func (n *feedEvents) Of(f *control.Feed, now time.Time) []control.LogEntry { return n.of(f, now) }
