package studio

import (
	"context"
	"io"
	"net/url"
	"time"

	"obvan/control/observe"
	"obvan/graphics"
	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/clip"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

// Deps is what the studio controls. Clips, Logos and Monitor may be nil: then this server
// does not have them.
type Deps struct {
	Hub     *hub.Hub
	Mixer   mixer.Mixer // may be a FeedSetter, and a Resumer
	Program Program
	Relay   Relay
	Pulls   Pulls
	Clips   Clips           // may be nil
	Logos   *graphics.Logos // of lower thirds; may be nil
	Monitor observe.Monitor // says which streams panels can show; may be nil
}

// Relay is what the studio needs of relay.Relay.
type Relay interface {
	Put(d relay.Destination, key string) error
	Remove(id string) error
	Start(id string) error
	Stop(id string) error
}

// Pulls is what the studio needs of ingest.Pulls.
type Pulls interface {
	Put(feed string, u *url.URL) error
	Remove(feed string)
	State(feed string) (ingest.PullState, bool)
}

// Program is what the studio needs of program.Program.
type Program interface {
	SetFailover(on bool)
	Lock(level string) error // program.ErrNoLevel
	SetBackups(feeds []string)
	SetTriggers(faults []program.Fault) error             // program.ErrNoFault
	SetTimeout(level string, timeout time.Duration) error // program.ErrTimeout, program.ErrNoLevel
}

// Clips is what the studio needs of clip.Clips.
type Clips interface {
	Put(ctx context.Context, name string, r io.Reader, like clip.Format) error
	List() ([]clip.Info, error)
	Remove(name string) error // clip.ErrNoClip
}

// FeedSetter is a mixer that needs to know all feeds, also those that are not connected.
type FeedSetter interface {
	SetFeeds(feeds []string)
}

// Resumer is a mixer that does not store what was on air: after a restart it is told.
type Resumer interface {
	Resume(source string)
}

// Options are the flags that concern the studio.
type Options struct {
	DataDir  string
	Token    string // of -token: an admin's; "" for none
	Version  string
	MixerURL string // of -mixer
	RTMPPort int    // for the add-camera dialog
	RTSPPort int

	OBSPassword string // of the environment; the stored one comes first
	OBSPlays    string // host:port where OBS reaches the read-only RTSP port
	OBSSends    string // and where it reaches the RTMP ingest
}
