package control

import (
	"context"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"obvan/graphics"
	"obvan/hub"
	"obvan/ingest"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

// Rooms is what the studio is made of. A nil Monitor, Whip or Panel is a room that is not
// there; the others must be.
type Rooms struct {
	Hub       *hub.Hub
	Mixer     mixer.Mixer // may be a FeedSetter, and a Resumer
	Program   Program
	Relay     Relay
	Pulls     Pulls
	Clips     Clips           // nil: this studio keeps none
	Logos     *graphics.Logos // of lower thirds; nil: it keeps none
	Monitor   Monitor         // answers /whep/
	Whip      http.Handler    // answers /whip/; it asks Authorise by itself
	Snapshots Snapshots       // may be nil
	Panel     fs.FS           // the pages under /
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

// Monitor is what the studio needs of whep.Server.
type Monitor interface {
	ServeViewer(w http.ResponseWriter, r *http.Request, who string) // under /whep/; who asks was checked
	End(who string)                                                 // access was taken away
	Watching(stream string) int
	Watch(stream string) (ok bool, why string)
	Clock(stream string) (rtp uint32, arrived time.Time, ok bool)
}

// Snapshots is what the studio needs of snapshot.Server.
type Snapshots interface {
	JPEG(ctx context.Context, stream string) ([]byte, error)
}

// Program is what the studio needs of program.Program.
type Program interface {
	SetFailover(on bool)
	Lock(rung string) error // program.ErrNoRung
	SetBackups(feeds []string)
	SetTriggers(ills []program.Fault) error             // program.ErrNoIll
	SetTimeout(rung string, budget time.Duration) error // program.ErrBudget, program.ErrNoRung
}

// FeedSetter is a mixer that is told which feeds there are, also those that are away.
type FeedSetter interface {
	SetFeeds(feeds []string)
}

// Resumer is a mixer that forgets what was on air when the server dies: it is told.
type Resumer interface {
	Resume(source string)
}

// Options is what the process was told.
type Options struct {
	DataDir   string
	Token     string // of -token: an admin's; "" for none
	Version   string
	MixerURL  string // of -mixer
	RTMPPort  int    // for the add-camera dialog
	RTSPPort  int
	Secure    bool            // panels come by https: the cookie stays there
	Platforms any             // what /api/v1/platforms answers
	ICE       func() []string // STUN and TURN servers for browsers, as values of Link headers; nil for none

	OBSPassword string // of the environment; the one that is kept comes first
	OBSPlays    string // host:port where OBS reaches the read-only RTSP port
	OBSSends    string // and where it reaches the RTMP ingest
}
