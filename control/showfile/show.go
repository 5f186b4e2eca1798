package showfile

import (
	"maps"
	"slices"
	"time"

	"obvan/control/auth"
	"obvan/graphics"
	"obvan/mixer/obs/provision"
	"obvan/mixer/program"
	"obvan/relay"
)

// Show is what show.json holds: the show without its secrets.
type Show struct {
	Name         string          `json:"name"`
	Live         bool            `json:"live"`
	Since        *time.Time      `json:"since,omitempty"`
	OnAir        string          `json:"onAir,omitempty"` // on the program bus of a mixer that is a Resumer
	Backups      []string        `json:"backups,omitempty"`
	Triggers     []program.Fault `json:"triggers,omitempty"`  // of failover, besides loss of signal
	TimeoutMs    int             `json:"timeoutMs,omitempty"` // signal-loss timeout
	Timeouts     map[string]int  `json:"timeouts,omitempty"`  // of fallback levels that have their own, in ms
	Feeds        []Feed          `json:"feeds"`
	Destinations []Destination   `json:"destinations"`
	Graphics     []graphics.Item `json:"graphics,omitempty"`

	OBS map[string]OBSSetup `json:"obs,omitempty"` // by scene collection
}

// Feed is a camera that an operator added.
type Feed struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url,omitempty"` // secrets in it are written ***
}

// Destination is a destination without its secrets.
type Destination struct {
	relay.Destination
	Started bool `json:"started"` // it was sending: after a crash in mid-show it does again
}

// OBSSetup is how OBS was set up in one of its scene collections.
type OBSSetup struct {
	At         time.Time        `json:"at"`
	Feeds      []provision.Feed `json:"feeds"`
	AdHoc      []string         `json:"adHoc,omitempty"` // the ids of those that no operator added
	Orphans    []string         `json:"removedFeeds,omitempty"`
	Plays      string           `json:"plays"`
	Sends      string           `json:"sends"`
	VideoKbps  int              `json:"videoKbps,omitempty"`
	AudioKbps  int              `json:"audioKbps,omitempty"`
	KeySeconds int              `json:"keyframeSeconds,omitempty"`
}

// Same reports whether OBS needs no change.
func (k OBSSetup) Same(other OBSSetup) bool {
	return slices.Equal(k.Feeds, other.Feeds) && k.Plays == other.Plays && k.Sends == other.Sends &&
		k.VideoKbps == other.VideoKbps && k.AudioKbps == other.AudioKbps && k.KeySeconds == other.KeySeconds
}

// Secrets is what secrets.json holds, and nothing else ever shows.
type Secrets struct {
	Tokens       []auth.Token                 `json:"tokens"`
	Feeds        map[string]FeedSecret        `json:"feeds"`
	Destinations map[string]DestinationSecret `json:"destinations"`
	MixerKey     string                       `json:"mixerKey"`
	OBSPassword  string                       `json:"obsPassword,omitempty"`
	OBSUndo      map[string]*provision.Undo   `json:"obsUndo,omitempty"` // by scene collection; it has the stream key that OBS had before
}

// FeedSecret is what a camera publishes with, or is pulled from.
type FeedSecret struct {
	Key        string `json:"key,omitempty"`
	Everywhere bool   `json:"everywhere,omitempty"` // an operator chose the key: this machine needs it too
	URL        string `json:"url,omitempty"`        // whole
}

// DestinationSecret is where a destination is, and its stream key.
type DestinationSecret struct {
	Key       string `json:"key,omitempty"`
	URL       string `json:"url"` // whole
	BackupURL string `json:"backupUrl,omitempty"`
}

// Feed is the index of a feed; -1 when it is not in the show.
func (k *Show) Feed(id string) int {
	return slices.IndexFunc(k.Feeds, func(f Feed) bool { return f.ID == id })
}

// Destination is the index of a destination; -1 when it is not in the show.
func (k *Show) Destination(id string) int {
	return slices.IndexFunc(k.Destinations, func(d Destination) bool { return d.ID == id })
}

// Token is the index of a token; -1 when there is none of that name.
func (s *Secrets) Token(name string) int {
	return slices.IndexFunc(s.Tokens, func(t auth.Token) bool { return t.Name == name })
}

// Clone is a copy that may be changed.
func (k Show) Clone() Show {
	k.Backups, k.Feeds, k.Destinations = slices.Clone(k.Backups), slices.Clone(k.Feeds), slices.Clone(k.Destinations)
	k.Graphics, k.OBS = slices.Clone(k.Graphics), maps.Clone(k.OBS)
	return k
}

// Clone is a copy that may be changed.
func (s Secrets) Clone() Secrets {
	s.Tokens, s.Feeds, s.Destinations = slices.Clone(s.Tokens), maps.Clone(s.Feeds), maps.Clone(s.Destinations)
	s.OBSUndo = maps.Clone(s.OBSUndo)
	return s
}

// WithKey is the feeds that have a key.
func (s *Secrets) WithKey() map[string]bool {
	all := map[string]bool{}
	for id, f := range s.Feeds {
		all[id] = f.Key != ""
	}
	return all
}
