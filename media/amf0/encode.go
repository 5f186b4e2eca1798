// Package amf0 is the value format of RTMP commands and FLV metadata (Adobe's
// "Action Message Format AMF 0"), as far as it is needed here. Decode is
// limited in size, depth and memory, because it reads what unknown clients send.
package amf0

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Property is one named value of an object.
type Property struct {
	Name  string
	Value any
}

// Object is an AMF0 object; properties keep their order.
type Object []Property

// ECMAArray is encoded as an AMF0 ECMA array, the form of FLV metadata.
type ECMAArray Object

// Get is the value of the first property named name, nil when there is none.
func (o Object) Get(name string) any {
	for _, p := range o {
		if p.Name == name {
			return p.Value
		}
	}
	return nil
}

// String is the value of the property named name when it is a string, else "".
func (o Object) String(name string) string {
	s, _ := o.Get(name).(string)
	return s
}

// Markers of AMF0 types (section 2.1).
const (
	markNumber     = 0x00
	markBool       = 0x01
	markString     = 0x02
	markObject     = 0x03
	markNull       = 0x05
	markUndefined  = 0x06
	markReference  = 0x07
	markECMAArray  = 0x08
	markObjectEnd  = 0x09
	markStrict     = 0x0a
	markDate       = 0x0b
	markLongString = 0x0c
	markUnknown    = 0x0d // "unsupported"
	markXML        = 0x0f
	markTyped      = 0x10
)

// Append encodes values: nil, bool, int, float64, string, Object, ECMAArray and
// []any of them. Anything else is a programmer's mistake.
func Append(dst []byte, values ...any) []byte {
	for _, v := range values {
		dst = appendValue(dst, v)
	}
	return dst
}

func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, markNull)
	case bool:
		if v {
			return append(dst, markBool, 1)
		}
		return append(dst, markBool, 0)
	case int:
		return appendNumber(dst, float64(v))
	case float64:
		return appendNumber(dst, v)
	case string:
		if len(v) > math.MaxUint16 {
			dst = append(dst, markLongString)
			return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
		}
		return appendKey(append(dst, markString), v)
	case Object:
		return appendProperties(append(dst, markObject), v)
	case ECMAArray:
		dst = binary.BigEndian.AppendUint32(append(dst, markECMAArray), uint32(len(v)))
		return appendProperties(dst, Object(v))
	case []any:
		dst = binary.BigEndian.AppendUint32(append(dst, markStrict), uint32(len(v)))
		return Append(dst, v...)
	}
	panic(fmt.Sprintf("amf0: no encoding for %T", v))
}

func appendNumber(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, markNumber), math.Float64bits(f))
}

func appendKey(dst []byte, s string) []byte {
	s = s[:min(len(s), math.MaxUint16)]
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func appendProperties(dst []byte, props Object) []byte {
	for _, p := range props {
		dst = appendValue(appendKey(dst, p.Name), p.Value)
	}
	return append(dst, 0, 0, markObjectEnd)
}
