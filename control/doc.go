// Package control runs the show: one State, one command table, roles, and the
// doors to them (websocket, HTTP). It is the only room that knows all others.
//
// A Studio keeps the state, and what is to outlive the process, but runs no other
// room: cmd/obvan does, and hands the studio what they tell.
//
//	var studio *control.Studio // the ways in are bound before it, and ask it later
//	env := ingest.Env{Hub: h, Log: log, Authorise: func(r ingest.Request) error { return studio.Authorise(r) }}
//	...
//	studio, err = control.New(control.Rooms{Hub: h, Mixer: m, Program: p, Relay: r, Pulls: pulls, Monitor: whep, Panel: web.Files()},
//		control.Options{DataDir: dir, Token: token, Version: version, MixerURL: "cut", RTMPPort: 1935, RTSPPort: 8554}, log)
//	...
//	rooms.Go(func() error { return m.Run(ctx, studio.MixerChanged) })
//	rooms.Go(func() error { return p.Run(ctx, studio.ProgramChanged) })
//	rooms.Go(func() error { return r.Run(ctx, studio.RelayChanged) })
//	rooms.Go(func() error { return pulls.Run(ctx, studio.PullsChanged) })
//	rooms.Go(func() error { return studio.Run(ctx) })
//	server := studio.Server() // serve it on a listener of yours; Shutdown it before ctx ends
//
// The callbacks never block. Run restores the show (it may call the rooms before they
// run) and writes the as-run log, so it should be the last to end: give it a context
// that is cancelled once the others returned, where the last lines matter.
package control
