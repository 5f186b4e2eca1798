package observe

import (
	"time"

	"obvan/control"
	"obvan/hub"
	"obvan/relay/platform"
)

type (
	Gauge      = gauge
	Cautions   = cautions
	FeedEvents = feedEvents
)

var Uneven = uneven

func (g *gauge) Take(now time.Time, st hub.Stats, h *hub.Hub) { g.take(now, st, nil, peek(h)) }
func (g *gauge) Is() platform.Bitstream                       { return g.is }

func (c *cautions) Look(now time.Time, texts []string) { c.look(now, texts) }
func (c *cautions) Shown() []string                    { return c.shown() }
func (c *cautions) Len() int                           { return len(c.all) }

func (n *feedEvents) Of(f *control.Feed, now time.Time) []control.LogEntry { return n.of(f, now) }
