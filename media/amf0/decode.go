package amf0

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Limits of what Decode accepts.
const (
	MaxSize  = 64 << 10
	MaxDepth = 16
)

// ErrBad is for a value that is truncated, nested too deep, too long or of an unknown
// type.
var ErrBad = errors.New("malformed AMF0")

// Decode returns the values in b: nil (also for undefined), bool, float64 (also for
// dates), string, Object (also for ECMA arrays and typed objects) and []any. With an
// error it returns the values before it.
func Decode(b []byte) ([]any, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrBad, len(b))
	}
	var values []any
	d := decoder{b: b}
	for len(d.b) > 0 {
		v, err := d.value(0)
		if err != nil {
			return values, err
		}
		values = append(values, v)
	}
	return values, nil
}

type decoder struct{ b []byte }

// take returns the next n bytes.
func (d *decoder) take(n int) ([]byte, error) {
	if n < 0 || n > len(d.b) {
		return nil, fmt.Errorf("%w: truncated", ErrBad)
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b, nil
}

func (d *decoder) value(depth int) (any, error) {
	if depth >= MaxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrBad, MaxDepth)
	}
	mark, err := d.take(1)
	if err != nil {
		return nil, err
	}
	switch mark[0] {
	case markNull, markUndefined, markUnknown:
		return nil, nil
	case markBool:
		b, err := d.take(1)
		return err == nil && b[0] != 0, err
	case markNumber:
		return d.number()
	case markDate:
		n, err := d.number()
		if err == nil {
			_, err = d.take(2) // time zone
		}
		return n, err
	case markReference:
		_, err := d.take(2)
		return nil, err
	case markString:
		return d.key()
	case markLongString, markXML:
		return d.longString()
	case markStrict:
		return d.strict(depth)
	case markTyped:
		if _, err := d.key(); err != nil {
			return nil, err
		}
		return d.properties(depth)
	case markECMAArray:
		if _, err := d.take(4); err != nil { // a count, which many writers leave at 0
			return nil, err
		}
		return d.properties(depth)
	case markObject:
		return d.properties(depth)
	}
	return nil, fmt.Errorf("%w: type %#x", ErrBad, mark[0])
}

func (d *decoder) number() (float64, error) {
	b, err := d.take(8)
	if err != nil {
		return 0, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

func (d *decoder) key() (string, error) {
	n, err := d.take(2)
	if err != nil {
		return "", err
	}
	s, err := d.take(int(binary.BigEndian.Uint16(n)))
	return string(s), err
}

func (d *decoder) longString() (string, error) {
	n, err := d.take(4)
	if err != nil {
		return "", err
	}
	if size := binary.BigEndian.Uint32(n); size <= MaxSize {
		s, err := d.take(int(size))
		return string(s), err
	}
	return "", fmt.Errorf("%w: long string", ErrBad)
}

// strict allocates nothing for the count in the header: each value takes at least a byte.
func (d *decoder) strict(depth int) (any, error) {
	n, err := d.take(4)
	if err != nil {
		return nil, err
	}
	count := binary.BigEndian.Uint32(n)
	if uint64(count) > uint64(len(d.b)) {
		return nil, fmt.Errorf("%w: array of %d values in %d bytes", ErrBad, count, len(d.b))
	}
	var values []any
	for range count {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (d *decoder) properties(depth int) (any, error) {
	props := Object{}
	for {
		name, err := d.key()
		if err != nil {
			return nil, err
		}
		if name == "" && len(d.b) > 0 && d.b[0] == markObjectEnd {
			d.b = d.b[1:]
			return props, nil
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		props = append(props, Property{name, v})
	}
}
