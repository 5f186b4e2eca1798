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
	"obvan/monitor/look"
	playrtmp "obvan/monitor/rtmp"
	playrtsp "obvan/monitor/rtsp"
	"obvan/monitor/snapshot"
	"obvan/monitor/whep"
	"obvan/relay"
	"obvan/relay/platform"
	"obvan/web"
)

// truck is the signal path, top to bottom.
type truck struct {
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
	shelves
	eyes
}

// ports is where others come to us, beside the monitor's WebRTC port.
type ports struct {
	ingests map[string]ingest.Server // by flag name; the play-only ports among them
	panel   net.Listener
	server  *server.Server // answers on panel
	secure  *secure        // nil without a certificate
}

// shelves is the folders of what was brought in.
type shelves struct {
	clips *clip.Clips
	logos *graphics.Logos
}

// eyes is who looks at streams.
type eyes struct {
	monitor *whep.Server
	snaps   *snapshot.Server
	look    *look.Detector
}

// run builds the studio, tells where it listens, and runs it until ctx is done.
func run(ctx context.Context, cfg config, stdout io.Writer, log *slog.Logger) error {
	held, err := lock(cfg.data)
	if err != nil {
		return err
	}
	defer held.Close()
	t := &truck{
		cfg: cfg, log: log, hub: hub.New(), ports: ports{ingests: map[string]ingest.Server{}},
		shelves: shelves{clip.New(filepath.Join(cfg.data, "clips")), graphics.NewLogos(filepath.Join(cfg.data, "logos"))},
	}
	if err := t.build(); err != nil {
		return err
	}
	if err := t.announce(stdout); err != nil {
		return err
	}
	return t.run(ctx)
}

// build binds every port, so that what can't work fails before anything runs.
func (t *truck) build() (err error) {
	if t.secure, err = t.cfg.tls.load(t.cfg.data, t.log); err != nil {
		return err
	}
	if t.program, err = program.New(t.hub, t.log); err != nil {
		return err
	}
	t.relay = relay.New(t.hub, outputs(), t.log)
	if t.monitor, err = whep.New(t.hub, t.cfg.listen.webrtc, t.log); err != nil {
		return fmt.Errorf("-webrtc: %w", err)
	}
	// The studio answers for who may publish, and needs the ports that ask it.
	env := ingest.Env{Hub: t.hub, TLS: t.secure.tls(), Log: t.log, Authorise: func(r ingest.Request) error { return t.studio.Authorise(r) }}
	if err := t.bind(env, t.secure != nil); err != nil {
		return err
	}
	t.whip, t.snaps = whip.New(env, t.monitor), snapshot.New(t.hub, t.log)
	t.look = look.New(t.hub, t.log)
	t.pulls = ingest.NewPulls(env, ways(t.clips))
	d := desk{hub: t.hub, program: t.program, logos: t.logos, password: func() string { return t.studio.OBSPassword() }, log: t.log}
	d.play, d.send = near(t.ingests["play-rtsp"].Addr(), t.cfg.mixer), near(t.ingests["rtmp"].Addr(), t.cfg.mixer)
	if t.mixer, err = newMixer(t.cfg.mixer, d); err != nil {
		return err
	}
	if t.panel, err = net.Listen("tcp", t.cfg.listen.http); err != nil {
		return fmt.Errorf("-http: %w", err)
	}
	t.panel = t.secure.over(t.panel)
	t.studio, err = studio.New(studio.Deps{
		Hub: t.hub, Mixer: t.mixer, Program: t.program, Relay: t.relay, Pulls: t.pulls, Clips: t.clips, Logos: t.logos, Monitor: t.monitor,
	}, studio.Options{
		DataDir: t.cfg.data, Token: t.cfg.token, Version: version, MixerURL: t.cfg.mixer,
		RTMPPort: port(t.ingests["rtmp"].Addr()), RTSPPort: port(t.ingests["rtsp"].Addr()),
		OBSPassword: t.cfg.obsPassword, OBSPlays: d.play, OBSSends: d.send,
	}, t.log)
	if err != nil {
		return err
	}
	t.server = server.New(server.Config{
		Studio: t.studio, Store: t.studio.Store(), Access: t.studio.Access(), Commands: studio.Describe(), Hub: t.hub,
		Monitor: t.monitor, Whip: t.whip, Snapshots: t.snaps, Panel: web.Files(), Platforms: platform.All(), ICE: t.cfg.net.links, Secure: t.secure != nil,
	}, t.log)
	return nil
}

// bind opens the doors for cameras, and the play-only ones.
func (t *truck) bind(env ingest.Env, secure bool) error {
	l := t.cfg.listen
	doors := []struct{ flag, addr string }{{"rtmp", l.rtmp}, {"rtsp", l.rtsp}}
	if secure {
		doors = append(doors, struct{ flag, addr string }{"rtmps", l.rtmps}, struct{ flag, addr string }{"rtsps", l.rtsps})
	}
	for _, door := range doors {
		l, err := ways(t.clips)[door.flag].Listen(&url.URL{Scheme: door.flag, Host: door.addr}, env)
		if err != nil {
			return fmt.Errorf("-%s: %w", door.flag, err)
		}
		t.ingests[door.flag] = l
	}
	may := func(stream, token, remote string) error { return t.studio.AuthorisePlay(stream, token, remote) }
	rtspPort, err := playrtsp.Listen(&url.URL{Scheme: "rtsp", Host: l.playRTSP}, t.hub, may, nil, t.log)
	if err != nil {
		return fmt.Errorf("-play-rtsp: %w", err)
	}
	rtmpPort, err := playrtmp.Listen(&url.URL{Scheme: "rtmp", Host: l.playRTMP}, t.hub, may, nil, t.log)
	if err != nil {
		return fmt.Errorf("-play-rtmp: %w", err)
	}
	t.ingests["play-rtsp"], t.ingests["play-rtmp"] = rtspPort, rtmpPort
	return nil
}

// announce says where the panel is; in JSON for programs that start us.
func (t *truck) announce(stdout io.Writer) error {
	addr := t.panel.Addr().String()
	if t.cfg.log == "json" {
		at := map[string]string{"http": addr, "webrtc": t.monitor.Addr()}
		for name, server := range t.ingests {
			at[name] = server.Addr()
		}
		return json.NewEncoder(stdout).Encode(map[string]any{"listening": at})
	}
	number := strconv.Itoa(port(addr))
	_, err := fmt.Fprintf(stdout, "\n  OB Van is on air.\n\n  Panel    %s\n  Cameras  rtmp://HOST:%d/live/<name>   rtsp://HOST:%d/live/<name>\n%s\n  Ctrl-C ends the show.\n\n",
		t.server.LoginLink("localhost:"+number, t.studio.FirstToken()), port(t.ingests["rtmp"].Addr()), port(t.ingests["rtsp"].Addr()), t.phones())
	return err
}

// phones is what the newcomer is told of phones as cameras.
func (t *truck) phones() string {
	switch {
	case t.secure == nil:
		return "\n  Without https, phones' browsers can't be cameras, and panels on other machines play\n  fewer codings: start with -tls auto for that.\n"
	case t.secure.ours:
		return "\n  The certificate is our own: browsers warn once. Choose \"Advanced\", then go on.\n"
	}
	return ""
}

// run runs the rooms. They end in the order in which a show does: outputs say
// goodbye to the platforms while the program still has pictures, then the doors
// close, then the program and its state. What fails ends all.
func (t *truck) run(ctx context.Context) error {
	failed, fail := context.WithCancelCause(ctx)
	core, doors, out := newStage(fail), newStage(fail), newStage(fail)
	core.run("studio", t.studio.Run)
	core.run("program", func(ctx context.Context) error { return t.program.Run(ctx, t.studio.ProgramChanged) })
	core.run("mixer", func(ctx context.Context) error { return t.mixer.Run(ctx, t.studio.MixerChanged) })
	core.run("pulls", func(ctx context.Context) error { return t.pulls.Run(ctx, t.studio.PullsChanged) })
	doors.run("monitor", t.monitor.Run)
	doors.run("whip", t.whip.Run)
	doors.run("snapshots", t.snaps.Run)
	doors.run("look", func(ctx context.Context) error {
		return t.look.Run(ctx, t.program.Watched, func(s look.Sample) { t.program.ReportSample(program.Sample(s)) })
	})
	doors.run("network", func(ctx context.Context) error { return t.cfg.net.follow(ctx, t.monitor.Public, t.log) })
	doors.run("panel", func(ctx context.Context) error { return t.server.Run(ctx, t.panel) })
	if t.secure != nil && t.secure.challenge != nil {
		doors.run("acme", t.secure.serveChallenge)
	}
	for name, server := range t.ingests {
		doors.run(name, server.Run)
	}
	if t.cfg.demo {
		t.runDemo(doors)
	}
	out.run("relay", func(ctx context.Context) error { return t.relay.Run(ctx, t.studio.RelayChanged) })
	<-failed.Done()
	err := errors.Join(out.stop(), doors.stop(), core.stop())
	return err
}

// runDemo switches the demo cameras on one after the other, so that the first one
// comes on air.
func (t *truck) runDemo(doors *stage) {
	ready := make(chan struct{})
	close(ready)
	for _, camera := range demo.Cameras {
		u := &url.URL{Scheme: "demo", Host: camera}
		before, on := ready, make(chan struct{})
		ready = on
		doors.run("demo", func(ctx context.Context) error {
			select {
			case <-before:
			case <-ctx.Done():
				return nil
			}
			return demo.Pull(ctx, u, ingest.Env{Hub: t.hub, Log: t.log}, camera, func() { close(on) })
		})
	}
}

// stage is rooms that end together.
type stage struct {
	errgroup.Group
	ctx    context.Context
	cancel context.CancelFunc
	fail   context.CancelCauseFunc
}

func newStage(fail context.CancelCauseFunc) *stage {
	s := &stage{fail: fail}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *stage) run(name string, room func(context.Context) error) {
	s.Go(func() error {
		err := room(s.ctx)
		if s.ctx.Err() == nil { // it ended by itself
			if err == nil {
				err = errors.New("ended by itself")
			}
			s.fail(err)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

func (s *stage) stop() error {
	s.cancel()
	return s.Wait()
}

func port(addr string) int {
	_, text, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(text)
	return n
}
