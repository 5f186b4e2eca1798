// Package silence makes silent audio frames in every codec and channel configuration that
// the program may have: for sources without audio, and for the freeze frame.
package silence

import (
	"obvan/media"
)

// opus is a 20 ms packet of silence: full band CELT, mono (RFC 6716, 3.1), and
// an empty range coder. Decoders accept it for any channel count.
var opus = []byte{0xf8, 0xff, 0xfe}

// Frame is one silent frame for the track, or nil when its codec is not supported. The
// result is shared by all its readers.
func Frame(t *media.Track) []byte {
	switch t.Codec {
	case media.Opus:
		return opus
	case media.AAC:
		return aac(elements(channelConfig(t)))
	}
	return nil
}

// channelConfig is channelConfiguration of the AudioSpecificConfig (ISO/IEC
// 14496-3, 1.6.2.1), or what the track's channels suggest.
func channelConfig(t *media.Track) int {
	bits := reader{data: t.Config}
	if bits.read(5) == 31 { // audioObjectType, escaped
		bits.read(6)
	}
	if bits.read(4) == 15 { // samplingFrequencyIndex, explicit
		bits.read(24)
	}
	if c := bits.read(4); c >= 1 && c <= 7 && !bits.short {
		return c
	}
	switch {
	case t.Channels == 8:
		return 7
	case t.Channels >= 1 && t.Channels <= 6:
		return t.Channels
	}
	return 2
}

// Syntactic elements of a raw_data_block (ISO/IEC 14496-3, table 4.71).
const (
	single = 0
	pair   = 1
	lfe    = 3
	end    = 7
)

// elements is which ones a channel configuration has (ISO/IEC 14496-3, table 1.19).
func elements(config int) []int {
	return [][]int{
		1: {single},
		2: {pair},
		3: {single, pair},
		4: {single, pair, single},
		5: {single, pair, pair},
		6: {single, pair, pair, lfe},
		7: {single, pair, pair, pair, lfe},
	}[config]
}

// aac is a raw_data_block of long windows without any coded band: max_sfb 0 omits
// sections, scale factors and spectrum (ISO/IEC 14496-3, 4.4.2.1, 4.4.2.7).
func aac(elements []int) []byte {
	var w writer
	tags := map[int]int{} // element_instance_tag counts per kind of element
	for _, kind := range elements {
		w.write(3, kind)
		w.write(4, tags[kind])
		tags[kind]++
		if kind == pair {
			w.write(1, 1)  // common_window
			w.write(11, 0) // ics_info
			w.write(2, 0)  // ms_mask_present
			channel(&w, false)
			channel(&w, false)
			continue
		}
		channel(&w, true)
	}
	w.write(3, end)
	return w.data
}

// channel is an individual_channel_stream; its ics_info is all zero: a long
// window, max_sfb 0, no prediction.
func channel(w *writer, info bool) {
	w.write(8, 0) // global_gain
	if info {
		w.write(11, 0)
	}
	w.write(3, 0) // no pulse data, TNS or gain control
}

type writer struct {
	data []byte
	n    int // bits written
}

func (w *writer) write(bits, value int) {
	for i := bits - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.data = append(w.data, 0)
		}
		w.data[w.n/8] |= byte(value>>i&1) << (7 - w.n%8)
		w.n++
	}
}

type reader struct {
	data  []byte
	n     int
	short bool // read past the end
}

func (r *reader) read(bits int) (value int) {
	for range bits {
		value <<= 1
		if r.n/8 >= len(r.data) {
			r.short = true
			continue
		}
		value |= int(r.data[r.n/8]>>(7-r.n%8)) & 1
		r.n++
	}
	return value
}
