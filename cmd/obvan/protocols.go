package main

import (
	"fmt"
	"log/slog"
	"net/url"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/demo"
	"obvan/ingest/rtmp"
	"obvan/ingest/rtsp"
	"obvan/mixer"
	"obvan/mixer/cut"
	"obvan/mixer/program"
	"obvan/relay"
	rtmppush "obvan/relay/rtmp"
)

// The tables: the scheme of a URL picks the code. A new protocol adds its line
// here and nothing else outside its folder.

func ways() ingest.Protocols {
	return ingest.Protocols{
		"rtmp":  {Listen: rtmp.Listen},
		"rtmps": {Listen: rtmp.Listen},
		"rtsp":  {Listen: rtsp.Listen, Pull: rtsp.Pull},
		"rtsps": {Listen: rtsp.Listen, Pull: rtsp.Pull},
		"demo":  {Pull: demo.Pull},
	}
}

func outputs() relay.Protocols {
	push := rtmppush.New(nil)
	return relay.Protocols{"rtmp": push.Push, "rtmps": push.Push}
}

// desk is what a mixer may need of the studio.
type desk struct {
	hub     *hub.Hub
	program *program.Program
	log     *slog.Logger
}

func mixers() map[string]func(u *url.URL, d desk) (mixer.Mixer, error) {
	return map[string]func(*url.URL, desk) (mixer.Mixer, error){
		"cut": func(_ *url.URL, d desk) (mixer.Mixer, error) { return cut.New(d.hub, d.program, d.log), nil },
	}
}

// newMixer makes the mixer that -mixer names: "cut", or a URL.
func newMixer(flag string, d desk) (mixer.Mixer, error) {
	u, err := url.Parse(flag)
	if err != nil {
		return nil, fmt.Errorf("-mixer: not an address; use cut or obs://HOST:4455")
	}
	scheme := u.Scheme
	if scheme == "" {
		scheme = u.Path
	}
	make := mixers()[scheme]
	if make == nil {
		return nil, fmt.Errorf("-mixer %s: no such mixer; use cut or obs://HOST:4455", scheme)
	}
	return make(u, d)
}
