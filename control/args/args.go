// Package args reads the arguments of commands strictly, and says in plain words what is
// wrong with them.
package args

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	"obvan/control"
	"obvan/internal/text"
)

// Field is one argument of a command.
type Field struct {
	Name     string
	Type     reflect.Type
	Required bool
}

// Decode reads a command's arguments strictly: an argument that is unknown,
// missing or of the wrong type is an error that names it and says what it must be.
// Names are compared exactly, which encoding/json alone does not do.
func Decode(raw json.RawMessage, into any) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		raw = []byte("{}")
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return control.Invalidf("the arguments must be one JSON object, not %s", article(kind.Value))
		}
		return control.Invalidf("the arguments are not JSON: %v", err)
	}
	fields := Fields(reflect.TypeOf(into).Elem())
	for name := range given {
		if !known(fields, name) {
			return control.Invalidf("unknown argument %s; %s", text.Quote(name), takes(fields))
		}
	}
	for _, f := range fields {
		if v, ok := given[f.Name]; f.Required && (!ok || string(v) == "null") {
			return control.Invalidf("the argument %s is missing", f.Name)
		}
	}
	return wrongType(json.Unmarshal(raw, into))
}

// wrongType says which argument has the wrong type.
func wrongType(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case control.IsInvalid(err):
		return err
	case errors.As(err, &kind):
		if _, number := strings.CutPrefix(kind.Value, "number "); number {
			return control.Invalidf("the argument %s must be %s: %s is not", kind.Field, TypeName(kind.Type), text.Quote(kind.Value[len("number "):]))
		}
		return control.Invalidf("the argument %s must be %s, not %s", kind.Field, TypeName(kind.Type), article(kind.Value))
	}
	return control.Invalidf("the arguments can't be read: %v", err)
}

// Fields is the arguments that a struct of them has.
func Fields(t reflect.Type) []Field {
	var all []Field
	for _, f := range reflect.VisibleFields(t) {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" || name == "-" {
			continue
		}
		all = append(all, Field{name, f.Type, !strings.Contains(opts, "omit")})
	}
	return all
}

func known(fields []Field, name string) bool {
	for _, f := range fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

func takes(fields []Field) string {
	if len(fields) == 0 {
		return "this command takes no arguments"
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return "this command takes " + strings.Join(names, ", ")
}

// TypeName is a Go type in plain words for whoever writes JSON.
func TypeName(t reflect.Type) string {
	if t == reflect.TypeFor[control.Role]() {
		return "one of " + strings.Join(control.Roles(), ", ")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return TypeName(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64, reflect.Uint32, reflect.Uint8:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list, each entry " + TypeName(t.Elem())
	}
	return "an object"
}

func article(jsonType string) string {
	switch jsonType {
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	}
	return "a " + jsonType
}
