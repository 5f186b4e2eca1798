package studio

import (
	"context"
	"encoding/json"
	"reflect"

	"obvan/control"
	"obvan/control/args"
)

// Command is one entry of the command table. Decoding, the role check, the docs
// and the TypeScript come from it.
type Command struct {
	Name   string       // area.verb
	Role   control.Role // the least role that may give it
	Doc    string       // one sentence
	Args   reflect.Type // a struct; its fields are the arguments
	Result reflect.Type // nil when there is none
	Fails  []error      // the errors it can fail with, besides those of every command

	run func(ctx context.Context, s *Studio, args json.RawMessage) (any, error)
}

// none is the arguments or the result of a command that has none.
type none struct{}

// command makes an entry of the table.
func command[A, R any](name string, least control.Role, doc string, do func(context.Context, *Studio, A) (R, error), fails ...error) Command {
	c := Command{Name: name, Role: least, Doc: doc, Args: reflect.TypeFor[A](), Result: reflect.TypeFor[R](), Fails: fails}
	if c.Result == reflect.TypeFor[none]() {
		c.Result = nil
	}
	c.run = func(ctx context.Context, s *Studio, raw json.RawMessage) (any, error) {
		var given A
		if err := args.Decode(raw, &given); err != nil {
			return nil, err
		}
		result, err := do(ctx, s, given)
		if err != nil || c.Result == nil {
			return nil, err
		}
		return result, nil
	}
	return c
}

// Commands is the whole table, area by area.
func Commands() []Command {
	var all []Command
	for _, area := range [][]Command{
		mixerCommands(), audioCommands(), mediaCommands(), outputCommands(), graphicsCommands(), logoCommands(), overlayCommands(), obsCommands(),
		programCommands(), feedCommands(), clipCommands(), destinationCommands(), selfTestCommands(), showCommands(), tokenCommands(),
	} {
		all = append(all, area...)
	}
	return all
}
