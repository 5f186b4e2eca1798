// Package control is the show and its nouns: the State that panels show, roles, callers,
// the commands' descriptions, and the errors with their codes. It is the
// only room that knows all others. Its folders are rooms of their own:
//
//	store     the state, with a revision for whoever asks what changed
//	auth      tokens and rate limits
//	args      reads the arguments of commands strictly
//	observe   looks at the streams: feeds, rates, platform check, flapping
//	showfile  the show on disk, its secrets, the as-run log; only the studio imports it
//	studio    the command table, one file an area, and what the rooms report
//	server    HTTP, websocket, pages, metrics: works against a small interface
//	tsgen     writes the TypeScript types and docs/protocol.md
//
// A studio keeps the state, and what is to outlive the process, but runs no other room:
// cmd/obvan does, and hands the studio what they report.
//
//	var s *studio.Studio // the listeners are bound before it, and ask it later
//	env := ingest.Env{Hub: h, Log: log, Authorise: func(r ingest.Request) error { return s.Authorise(r) }}
//	...
//	s, err = studio.New(studio.Deps{Hub: h, Mixer: m, Program: p, Relay: r, Pulls: pulls}, studio.Options{DataDir: dir, Token: token}, log)
//	web := server.New(server.Config{Studio: s, Store: s.Store(), Access: s.Access(), Commands: studio.Describe(), Hub: h}, log)
//	...
//	group.Go(func() error { return m.Run(ctx, s.MixerChanged) })
//	group.Go(func() error { return p.Run(ctx, s.ProgramChanged) })
//	group.Go(func() error { return r.Run(ctx, s.RelayChanged) })
//	group.Go(func() error { return pulls.Run(ctx, s.PullsChanged) })
//	group.Go(func() error { return s.Run(ctx) })
//	group.Go(func() error { return web.Run(ctx, listener) })
//
// The callbacks never block. Studio.Run restores the show (it may call the rooms before
// they run) and writes the as-run log, so it should be the last to end: give it a context
// that is cancelled once the others returned, where the last lines matter.
package control
