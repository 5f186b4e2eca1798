package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"obvan/graphics"
	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/clip"
	"obvan/ingest/demo"
	"obvan/ingest/rtmp"
	"obvan/ingest/rtsp"
	"obvan/ingest/selftest"
	"obvan/internal/netaddr"
	"obvan/mixer"
	"obvan/mixer/cut"
	"obvan/mixer/obs"
	"obvan/mixer/program"
	"obvan/relay"
	rtmppush "obvan/relay/rtmp"
	rtsppush "obvan/relay/rtsp"
	selftestpush "obvan/relay/selftest"
	srtpush "obvan/relay/srt"
	whippush "obvan/relay/whip"
)

// The tables: the scheme of a URL picks the code. A new protocol adds its line
// here and nothing else outside its folder.

func ingestProtocols(clips *clip.Clips) ingest.Protocols {
	return ingest.Protocols{
		"rtmp":     {Listen: rtmp.Listen},
		"rtmps":    {Listen: rtmp.Listen},
		"rtsp":     {Listen: rtsp.Listen, Pull: rtsp.Pull},
		"rtsps":    {Listen: rtsp.Listen, Pull: rtsp.Pull},
		"demo":     {Pull: demo.Pull},
		"selftest": {Pull: selftest.Pull},
		"clip":     {Pull: clips.Pull},
	}
}

func outputs() relay.Protocols {
	push, web := rtmppush.New(nil), whippush.New(nil)
	toRTMP := relay.Output{Push: push.Push, CheckAddress: rtmppush.CheckAddress}
	toRTSP := relay.Output{Push: rtsppush.New(nil).Push, CheckAddress: rtsppush.CheckAddress}
	toWHIP := relay.Output{Push: web.Push}
	return relay.Protocols{
		"rtmp": toRTMP, "rtmps": toRTMP,
		"rtsp": toRTSP, "rtsps": toRTSP,
		"srt":      {Push: srtpush.New().Push, CheckAddress: srtpush.CheckAddress},
		"selftest": {Push: selftestpush.Over(push.Push), CheckAddress: selftestpush.CheckAddress},
		"whip":     toWHIP, "whips": toWHIP, "http": toWHIP, "https": toWHIP,
	}
}

// mixerDeps is what a mixer may need of the server.
type mixerDeps struct {
	hub        *hub.Hub
	program    *program.Program
	logos      *graphics.Logos
	password   func() string // of OBS
	play, send string        // host:port where OBS plays feeds from, and where it sends its program to
	log        *slog.Logger
}

func mixers() map[string]func(u *url.URL, d mixerDeps) (mixer.Mixer, error) {
	return map[string]func(*url.URL, mixerDeps) (mixer.Mixer, error){
		"cut": func(_ *url.URL, d mixerDeps) (mixer.Mixer, error) { return cut.New(d.hub, d.program, d.log), nil },
		"obs": newOBS,
	}
}

// newOBS makes a mixer of the OBS at obs://HOST:4455. Its output is one stream, which the
// program always follows.
func newOBS(u *url.URL, d mixerDeps) (mixer.Mixer, error) {
	if u.Host == "" {
		return nil, errors.New("-mixer obs: the address is missing; use obs://HOST:4455")
	}
	if u.User != nil {
		return nil, errors.New("-mixer: put OBS' password in OBVAN_OBS_PASSWORD, not in the address, which everyone on this machine can read")
	}
	d.program.Follow(ingest.Mixer, mixer.Instant)
	return obs.New(obs.Config{
		URL: u.String(), Password: d.password, Play: "rtsp://" + d.play, Program: "rtmp://" + d.send + "/" + ingest.Mixer, Logo: d.logo(),
		StreamArrives: func() bool { _, live := d.hub.Stream(ingest.Mixer); return live },
	}, d.log), nil
}

// logo finds the files of logos for an OBS that runs on this machine; else it is nil.
func (d mixerDeps) logo() func(name string) string {
	if !netaddr.Loopback(d.play) {
		return nil
	}
	return func(name string) string {
		path, err := d.logos.Path(name)
		if err != nil {
			return ""
		}
		if path, err = filepath.Abs(path); err != nil {
			return ""
		}
		return path
	}
}

// newMixer makes the mixer that -mixer names: "cut", or a URL.
func newMixer(flag string, d mixerDeps) (mixer.Mixer, error) {
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

// reachableFrom is how the mixer reaches a port that listens at addr: one that listens on all
// interfaces has many addresses, and only the one on the route to the mixer works.
func reachableFrom(addr, mixerFlag string) string {
	host, number, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return addr
	}
	host = "127.0.0.1"
	if u, err := url.Parse(mixerFlag); err == nil && u.Hostname() != "" {
		if conn, err := net.DialTimeout("udp", net.JoinHostPort(u.Hostname(), "9"), time.Second); err == nil { // sends nothing
			host, _, _ = net.SplitHostPort(conn.LocalAddr().String())
			conn.Close()
		}
	}
	return net.JoinHostPort(host, number)
}
