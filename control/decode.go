package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// field is one argument of a command.
type field struct {
	name     string
	typ      reflect.Type
	required bool
}

// decode reads a command's arguments strictly: an argument that is unknown,
// missing or of the wrong type is an error that names it and says what it must be.
// Names are compared exactly, which encoding/json alone does not do.
func decode(raw json.RawMessage, args any) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		raw = []byte("{}")
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(raw, &given); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return badf("the arguments must be one JSON object, not %s", article(kind.Value))
		}
		return badf("the arguments are not JSON: %v", err)
	}
	fields := fieldsOf(reflect.TypeOf(args).Elem())
	for name := range given {
		if !known(fields, name) {
			return badf("there is no argument %s; %s", quote(name), takes(fields))
		}
	}
	for _, f := range fields {
		if v, ok := given[f.name]; f.required && (!ok || string(v) == "null") {
			return badf("the argument %s is missing", f.name)
		}
	}
	return wrongType(json.Unmarshal(raw, args))
}

// wrongType says in words which argument has the wrong type.
func wrongType(err error) error {
	var kind *json.UnmarshalTypeError
	var bad *badRequest
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		return bad
	case errors.As(err, &kind):
		if _, number := strings.CutPrefix(kind.Value, "number "); number {
			return badf("the argument %s must be %s: %s is not", kind.Field, words(kind.Type), quote(kind.Value[len("number "):]))
		}
		return badf("the argument %s must be %s, not %s", kind.Field, words(kind.Type), article(kind.Value))
	}
	return badf("the arguments can't be read: %v", err)
}

func fieldsOf(t reflect.Type) []field {
	var all []field
	for _, f := range reflect.VisibleFields(t) {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" || name == "-" {
			continue
		}
		all = append(all, field{name, f.Type, !strings.Contains(opts, "omit")})
	}
	return all
}

func known(fields []field, name string) bool {
	for _, f := range fields {
		if f.name == name {
			return true
		}
	}
	return false
}

func takes(fields []field) string {
	if len(fields) == 0 {
		return "this command takes none"
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return "this command takes " + strings.Join(names, ", ")
}

// words is a Go type as somebody who writes JSON calls it.
func words(t reflect.Type) string {
	if t == reflect.TypeFor[Role]() {
		return "one of " + strings.Join(roleNames, ", ")
	}
	switch t.Kind() {
	case reflect.Pointer:
		return words(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64, reflect.Int32, reflect.Uint64, reflect.Uint32, reflect.Uint8:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list, each entry " + words(t.Elem())
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

// quote is a peer's word in one of our sentences: short, and on one line.
func quote(s string) string {
	if len(s) > 60 {
		s = s[:60] + "..."
	}
	return strconv.Quote(s)
}

// badRequest is a command that can't be right, in words the sender understands.
type badRequest struct{ text string }

func (e *badRequest) Error() string { return e.text }

func badf(format string, args ...any) error { return &badRequest{fmt.Sprintf(format, args...)} }
