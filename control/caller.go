package control

import (
	"context"

	"obvan/mixer"
)

// Caller is who gives a command, and from where.
type Caller struct {
	You
	Remote  string // host:port
	Kind    Kind
	Command string // that it gives now

	// Meters starts and stops sending the mixer's levels to the caller; nil for a caller
	// that has no connection to send them on.
	Meters func(desk mixer.AudioMixer, on bool)
}

type callerKey struct{}

// WithCaller is a context in which c gives commands.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf is who gives the command that ctx is of.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
