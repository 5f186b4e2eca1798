package amf0_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"obvan/media/amf0"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden are values and their bytes, written by hand from the specification.
var golden = []struct {
	value any
	bytes string
}{
	{nil, "05"},
	{true, "01 01"},
	{false, "01 00"},
	{1.5, "00 3ff8000000000000"},
	{"play", "02 0004 706c6179"},
	{amf0.Object{{Name: "app", Value: "live"}}, "03 0003 617070 02 0004 6c697665 0000 09"},
	{[]any{nil, "a"}, "0a 00000002 05 02 0001 61"},
}

func TestValuesAreEncodedAsInTheSpecification(t *testing.T) {
	for _, g := range golden {
		if got := amf0.Append(nil, g.value); !bytes.Equal(got, unhex(t, g.bytes)) {
			t.Errorf("%v is %x", g.value, got)
		}
	}
	if got := amf0.Append(nil, amf0.ECMAArray{{Name: "a", Value: 1}}); !bytes.Equal(got, unhex(t, "08 00000001 0001 61 00 3ff0000000000000 0000 09")) {
		t.Errorf("an array is %x", got)
	}
}

func TestValuesAreDecodedAsInTheSpecification(t *testing.T) {
	for _, g := range append(golden, []struct {
		value any
		bytes string
	}{
		{nil, "06"},
		{nil, "0d"},
		{nil, "07 0001"},
		{1.5, "0b 3ff8000000000000 0000"},
		{"abc", "0c 00000003 616263"},
		{amf0.Object{{Name: "a", Value: true}}, "08 00000000 0001 61 01 01 0000 09"},
		{amf0.Object{{Name: "a", Value: true}}, "10 0001 78 0001 61 01 01 0000 09"},
	}...) {
		got, err := amf0.Decode(unhex(t, g.bytes))
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], g.value) {
			t.Errorf("%s is %v, %v", g.bytes, got, err)
		}
	}
}

func TestValuesPastALimitAreRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"an array that counts one value too many": unhex(t, "0a 00000002 05"),
		"a long string one byte short":            unhex(t, "0c 00000002 61"),
		"a long string over 64 KiB":               unhex(t, "0c 00010001 61"),
		"a truncated string":                      unhex(t, "02 0004 70"),
		"a truncated number":                      unhex(t, "00 3ff8"),
		"an object without end":                   unhex(t, "03 0001 61 05"),
		"an unknown type":                         unhex(t, "0e"),
		"AMF3":                                    unhex(t, "11 00"),
		"objects nested one too deep":             nested(amf0.MaxDepth + 1),
		"arrays nested one too deep":              append(bytes.Repeat([]byte{10, 0, 0, 0, 1}, amf0.MaxDepth), 5),
		"a byte more than 64 KiB":                 make([]byte, amf0.MaxSize+1),
	} {
		if _, err := amf0.Decode(b); !errors.Is(err, amf0.ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nested is objects within each other, so many levels deep with the value in the last.
func nested(levels int) []byte {
	b := append(bytes.Repeat([]byte{3, 0, 1, 'a'}, levels-1), 5)
	return append(b, bytes.Repeat([]byte{0, 0, 9}, levels-1)...)
}

func TestValuesNestedUpToTheLimitAreDecoded(t *testing.T) {
	if _, err := amf0.Decode(nested(amf0.MaxDepth)); err != nil {
		t.Error(err)
	}
}

func TestValuesBeforeAnErrorAreReturned(t *testing.T) {
	got, err := amf0.Decode(unhex(t, "02 0004 706c6179 00 3ff0000000000000 ff"))
	if err == nil || !reflect.DeepEqual(got, []any{"play", 1.0}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestPropertiesAreFoundByName(t *testing.T) {
	o := amf0.Object{{Name: "app", Value: "live"}, {Name: "n", Value: 1.0}}
	if o.String("app") != "live" || o.String("n") != "" || o.Get("n") != 1.0 || o.Get("x") != nil {
		t.Errorf("%v", o)
	}
}

func FuzzDecode(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(f, g.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		values, err := amf0.Decode(b)
		if err != nil {
			return
		}
		again, err := amf0.Decode(amf0.Append(nil, values...))
		if err != nil || len(again) != len(values) {
			t.Fatalf("%v came back as %v, %v", values, again, err)
		}
	})
}
