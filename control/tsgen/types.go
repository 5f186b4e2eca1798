package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"obvan/control"
	"obvan/control/studio"
	"obvan/mixer"
)

// types is every type of the protocol, found by walking from the state and the
// command table.
type types struct {
	src      *source
	named    map[string]reflect.Type // structs, and strings that have constants
	sections []member                // of the state
	commands []studio.Command
}

// member is one field of a struct as the protocol shows it.
type member struct {
	name     string
	typ      reflect.Type
	optional bool
	doc      string
	example  string
}

func collect(src *source) *types {
	ts := &types{src: src, named: map[string]reflect.Type{}, commands: studio.Commands()}
	state := reflect.TypeFor[control.State]()
	ts.walk(state)
	ts.walk(reflect.TypeFor[control.ErrorCode]())
	ts.walk(reflect.TypeFor[control.You]())
	ts.walk(reflect.TypeFor[mixer.Meter]())
	ts.sections = ts.members(state)
	for _, c := range ts.commands {
		ts.walk(c.Args)
		if c.Result != nil {
			ts.walk(c.Result)
		}
	}
	return ts
}

func (ts *types) walk(t reflect.Type) {
	switch {
	case t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map:
		ts.walk(t.Elem())
	case isTime(t) || t == reflect.TypeFor[control.Role](), t.Name() == "" || t.NumMethod() > 0 && t.Kind() == reflect.Struct && marshals(t):
	case t.Kind() == reflect.String && len(ts.src.of(t).values[t.Name()]) > 0:
		ts.named[name(t)] = t
	case t.Kind() == reflect.Struct && ts.named[name(t)] == nil && t.NumField() > 0:
		ts.named[name(t)] = t
		for _, m := range ts.members(t) {
			ts.walk(m.typ)
		}
	}
}

func marshals(t reflect.Type) bool { return t.Implements(reflect.TypeFor[json.Marshaler]()) }

func isTime(t reflect.Type) bool { return t == reflect.TypeFor[time.Time]() }

// members is a struct's fields, those of embedded structs among them.
func (ts *types) members(t reflect.Type) []member {
	var all []member
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			all = append(all, ts.members(f.Type)...)
			continue
		}
		word, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if word == "" || word == "-" {
			continue
		}
		all = append(all, member{
			name: word, typ: f.Type, optional: strings.Contains(opts, "omit"),
			doc: ts.src.of(t).fields[t.Name()+"."+f.Name], example: f.Tag.Get("example"),
		})
	}
	return all
}

// name is a type's name for clients. What is called State or Status in its room
// needs the room's name here, where all rooms meet.
func name(t reflect.Type) string {
	room := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
	switch room + "." + t.Name() {
	case "relay.Status":
		return "DestinationStatus"
	case "relay.State":
		return "DestinationState"
	case "mixer.Output":
		return "MixerOutput"
	case "graphics.Item":
		return "LowerThird"
	case "graphics.OnAir":
		return "LowerThirdOnAir"
	case "graphics.Template", "graphics.Field":
		return "LowerThird" + t.Name()
	case "selftest.Report", "selftest.Healthy", "selftest.Faulty":
		return "SelfTest" + t.Name()
	}
	if t.Name() == "State" && room != "control" {
		return strings.ToUpper(room[:1]) + room[1:] + "State"
	}
	return t.Name()
}

// names is all named types, in order.
func (ts *types) names() []string {
	all := make([]string, 0, len(ts.named))
	for n := range ts.named {
		all = append(all, n)
	}
	slices.Sort(all)
	return all
}
