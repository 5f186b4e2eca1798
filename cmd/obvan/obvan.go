package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"

	"obvan/control/server"
	"obvan/control/studio"
	"obvan/graphics"
	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/clip"
	"obvan/ingest/demo"
	"obvan/ingest/whip"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/monitor/freezedetect"
	playrtmp "obvan/monitor/rtmp"
	playrtsp "obvan/monitor/rtsp"
	"obvan/monitor/snapshot"
	"obvan/monitor/whep"
	"obvan/relay"
	"obvan/relay/platform"
	"obvan/web"
)

// app is the signal path, top to bottom.
type app struct {
	cfg config
	log *slog.Logger

	hub     *hub.Hub
	pulls   *ingest.Pulls
	whip    *whip.Server
	program *program.Program
	mixer   mixer.Mixer
	relay   *relay.Relay
	studio  *studio.Studio

	ports
	mediaStores
	observers
}

// ports are the listeners, besides the monitor's WebRTC port.
type ports struct {
	ingests map[string]ingest.Server // by flag name, with the play-only ports
	panel   net.Listener
	server  *server.Server // answers on panel
	secure  *secure        // nil without a certificate
}

// mediaStores are the folders of uploaded files.
type mediaStores struct {
	clips *clip.Clips
	logos *graphics.Logos
}

// observers show or inspect streams.
type observers struct {
	monitor *whep.Server
	snaps   *snapshot.Server
	freezes *freezedetect.Detector
}

// run builds the server, prints where it listens, and runs it until ctx is done.
func run(ctx context.Context, cfg config, stdout io.Writer, log *slog.Logger) error {
	dataLock, err := lock(cfg.data)
	if err != nil {
		return err
	}
	defer dataLock.Close()
	a := &app{
		cfg: cfg, log: log, hub: hub.New(), ports: ports{ingests: map[string]ingest.Server{}},
		mediaStores: mediaStores{clip.New(filepath.Join(cfg.data, "clips")), graphics.NewLogos(filepath.Join(cfg.data, "logos"))},
	}
	if err := a.build(); err != nil {
		return err
	}
	if err := a.announce(stdout); err != nil {
		return err
	}
	return a.run(ctx)
}

// build binds every port, so that what can't work fails before anything runs.
func (a *app) build() (err error) {
	if a.secure, err = a.cfg.tls.load(a.cfg.data, a.log); err != nil {
		return err
	}
	if a.program, err = program.New(a.hub, a.log); err != nil {
		return err
	}
	a.relay = relay.New(a.hub, outputs(), a.log)
	if a.monitor, err = whep.New(a.hub, a.cfg.listen.webrtc, a.log); err != nil {
		return fmt.Errorf("-webrtc: %w", err)
	}
	// The studio decides who may publish, and is built after the ports that ask it.
	env := ingest.Env{Hub: a.hub, TLS: a.secure.tls(), Log: a.log, Authorise: func(r ingest.Request) error { return a.studio.Authorise(r) }}
	if err := a.bind(env, a.secure != nil); err != nil {
		return err
	}
	a.whip, a.snaps = whip.New(env, a.monitor), snapshot.New(a.hub, a.log)
	a.freezes = freezedetect.New(a.hub, a.log)
	a.pulls = ingest.NewPulls(env, ingestProtocols(a.clips))
	d := mixerDeps{hub: a.hub, program: a.program, logos: a.logos, password: func() string { return a.studio.OBSPassword() }, log: a.log}
	d.play, d.send = reachableFrom(a.ingests["play-rtsp"].Addr(), a.cfg.mixer), reachableFrom(a.ingests["rtmp"].Addr(), a.cfg.mixer)
	if a.mixer, err = newMixer(a.cfg.mixer, d); err != nil {
		return err
	}
	if a.panel, err = net.Listen("tcp", a.cfg.listen.http); err != nil {
		return fmt.Errorf("-http: %w", err)
	}
	a.panel = a.secure.listener(a.panel)
	a.studio, err = studio.New(studio.Deps{
		Hub: a.hub, Mixer: a.mixer, Program: a.program, Relay: a.relay, Pulls: a.pulls, Clips: a.clips, Logos: a.logos, Monitor: a.monitor,
	}, studio.Options{
		DataDir: a.cfg.data, Token: a.cfg.token, Version: version, MixerURL: a.cfg.mixer,
		RTMPPort: port(a.ingests["rtmp"].Addr()), RTSPPort: port(a.ingests["rtsp"].Addr()),
		OBSPassword: a.cfg.obsPassword, OBSPlays: d.play, OBSSends: d.send,
	}, a.log)
	if err != nil {
		return err
	}
	a.server = server.New(server.Config{
		Studio: a.studio, Store: a.studio.Store(), Access: a.studio.Access(), Commands: studio.Describe(), Hub: a.hub,
		Monitor: a.monitor, Whip: a.whip, Snapshots: a.snaps, Panel: web.Files(), Platforms: platform.All(), ICE: a.cfg.net.links, Secure: a.secure != nil,
	}, a.log)
	return nil
}

// bind opens the listeners for cameras, and the play-only ones.
func (a *app) bind(env ingest.Env, secure bool) error {
	l := a.cfg.listen
	listeners := []struct{ flag, addr string }{{"rtmp", l.rtmp}, {"rtsp", l.rtsp}}
	if secure {
		listeners = append(listeners, struct{ flag, addr string }{"rtmps", l.rtmps}, struct{ flag, addr string }{"rtsps", l.rtsps})
	}
	for _, at := range listeners {
		l, err := ingestProtocols(a.clips)[at.flag].Listen(&url.URL{Scheme: at.flag, Host: at.addr}, env)
		if err != nil {
			return fmt.Errorf("-%s: %w", at.flag, err)
		}
		a.ingests[at.flag] = l
	}
	may := func(stream, token, remote string) error { return a.studio.AuthorisePlay(stream, token, remote) }
	rtspPort, err := playrtsp.Listen(&url.URL{Scheme: "rtsp", Host: l.playRTSP}, a.hub, may, nil, a.log)
	if err != nil {
		return fmt.Errorf("-play-rtsp: %w", err)
	}
	rtmpPort, err := playrtmp.Listen(&url.URL{Scheme: "rtmp", Host: l.playRTMP}, a.hub, may, nil, a.log)
	if err != nil {
		return fmt.Errorf("-play-rtmp: %w", err)
	}
	a.ingests["play-rtsp"], a.ingests["play-rtmp"] = rtspPort, rtmpPort
	return nil
}

// announce prints where the panel is; in JSON for programs that start the server.
func (a *app) announce(stdout io.Writer) error {
	addr := a.panel.Addr().String()
	if a.cfg.log == "json" {
		at := map[string]string{"http": addr, "webrtc": a.monitor.Addr()}
		for name, server := range a.ingests {
			at[name] = server.Addr()
		}
		return json.NewEncoder(stdout).Encode(map[string]any{"listening": at})
	}
	number := strconv.Itoa(port(addr))
	_, err := fmt.Fprintf(stdout, "\n  OB Van is running.\n\n  Panel    %s\n  Cameras  rtmp://HOST:%d/live/<name>   rtsp://HOST:%d/live/<name>\n%s\n  Press Ctrl-C to stop the server.\n\n",
		a.server.LoginLink("localhost:"+number, a.studio.FirstToken()), port(a.ingests["rtmp"].Addr()), port(a.ingests["rtsp"].Addr()), a.httpsHint())
	return err
}

// httpsHint is what a new operator should know about https.
func (a *app) httpsHint() string {
	switch {
	case a.secure == nil:
		return "\n  Without https, phones can't be cameras in their browser, and panels on other computers\n  can show fewer video formats: start with -tls auto for both.\n"
	case a.secure.selfSigned:
		return "\n  The certificate is self-signed: browsers warn once. Choose \"Advanced\", then proceed.\n"
	}
	return ""
}

// run runs everything. It shuts down in the order in which a show ends: destinations are
// unpublished while the program still has video, then the listeners close, then the program
// and the studio end. When one of them fails, all are shut down.
func (a *app) run(ctx context.Context) error {
	failed, fail := context.WithCancelCause(ctx)
	core, listeners, out := newGroup(fail), newGroup(fail), newGroup(fail)
	core.run("studio", a.studio.Run)
	core.run("program", func(ctx context.Context) error { return a.program.Run(ctx, a.studio.ProgramChanged) })
	core.run("mixer", func(ctx context.Context) error { return a.mixer.Run(ctx, a.studio.MixerChanged) })
	core.run("pulls", func(ctx context.Context) error { return a.pulls.Run(ctx, a.studio.PullsChanged) })
	listeners.run("monitor", a.monitor.Run)
	listeners.run("whip", a.whip.Run)
	listeners.run("snapshots", a.snaps.Run)
	listeners.run("freeze detection", func(ctx context.Context) error {
		return a.freezes.Run(ctx, a.program.Watched, func(s freezedetect.Sample) { a.program.ReportSample(program.Sample(s)) })
	})
	listeners.run("network", func(ctx context.Context) error { return a.cfg.net.follow(ctx, a.monitor.SetPublicAddrs, a.log) })
	listeners.run("panel", func(ctx context.Context) error { return a.server.Run(ctx, a.panel) })
	if a.secure != nil && a.secure.challenge != nil {
		listeners.run("acme", a.secure.serveChallenge)
	}
	for name, server := range a.ingests {
		listeners.run(name, server.Run)
	}
	if a.cfg.demo {
		a.runDemo(listeners)
	}
	out.run("relay", func(ctx context.Context) error { return a.relay.Run(ctx, a.studio.RelayChanged) })
	<-failed.Done()
	err := errors.Join(out.stop(), listeners.stop(), core.stop())
	return err
}

// runDemo starts the demo cameras one after the other, so that the first one is on air.
func (a *app) runDemo(listeners *group) {
	ready := make(chan struct{})
	close(ready)
	for _, camera := range demo.Cameras {
		u := &url.URL{Scheme: "demo", Host: camera}
		before, on := ready, make(chan struct{})
		ready = on
		listeners.run("demo", func(ctx context.Context) error {
			select {
			case <-before:
			case <-ctx.Done():
				return nil
			}
			return demo.Pull(ctx, u, ingest.Env{Hub: a.hub, Log: a.log}, camera, func() { close(on) })
		})
	}
}

// group is what shuts down together.
type group struct {
	errgroup.Group
	ctx    context.Context
	cancel context.CancelFunc
	fail   context.CancelCauseFunc
}

func newGroup(fail context.CancelCauseFunc) *group {
	g := &group{fail: fail}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

func (g *group) run(name string, run func(context.Context) error) {
	g.Go(func() error {
		err := run(g.ctx)
		if g.ctx.Err() == nil { // it was not shut down
			if err == nil {
				err = errors.New("exited unexpectedly")
			}
			g.fail(err)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

func (g *group) stop() error {
	g.cancel()
	return g.Wait()
}

func port(addr string) int {
	_, text, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(text)
	return n
}
