// Package textrender puts a line of text into the order and the letter shapes in which it
// is rendered, for OBS' FreeType text: that renders one character after the other from
// the left, so Hebrew would come out backwards and Arabic in isolated letters.
//
// It is the part of the Unicode bidirectional algorithm (UAX #9) that a name and a
// title need: no explicit directions, no tables.
package textrender

import (
	"slices"
	"unicode"
)

// direction of a character: strong left or right, a number, or neutral.
type direction uint8

const (
	neutral direction = iota
	left
	right
	number
)

func directionOf(r rune) direction {
	switch {
	case unicode.Is(unicode.Hebrew, r), r >= 0x0600 && r <= 0x08FF && unicode.IsLetter(r), r >= 0xFB1D && r <= 0xFEFC && unicode.IsLetter(r):
		return right
	case unicode.IsDigit(r):
		return number
	case unicode.IsLetter(r):
		return left
	}
	return neutral
}

// cluster is a character and the marks on it, which stay behind it.
type cluster struct {
	runes []rune
	dir   direction
	level int
}

// Line is text as it must be passed to something that renders from left to right. A line
// without right-to-left letters is returned as it is.
func Line(text string) string {
	if !hasRight(text) {
		return text
	}
	all := clusters(shape([]rune(text)))
	base := 0
	if i := slices.IndexFunc(all, func(c cluster) bool { return c.dir == left || c.dir == right }); i >= 0 && all[i].dir == right {
		base = 1
	}
	numbers(all)
	neutrals(all, base)
	highest := levels(all, base)
	for level := highest; level > 0; level-- { // UAX #9, L2
		reverse(all, level)
	}
	var line []rune
	for _, c := range all {
		if c.level%2 == 1 && len(c.runes) == 1 {
			c.runes[0] = mirror(c.runes[0])
		}
		line = append(line, c.runes...)
	}
	return string(line)
}

func hasRight(text string) bool {
	for _, r := range text {
		if directionOf(r) == right {
			return true
		}
	}
	return false
}

func clusters(runes []rune) []cluster {
	var all []cluster
	for _, r := range runes {
		if unicode.Is(unicode.Mn, r) && len(all) > 0 {
			last := &all[len(all)-1]
			last.runes = append(last.runes, r)
			continue
		}
		all = append(all, cluster{runes: []rune{r}, dir: directionOf(r)})
	}
	return all
}

// numbers keeps what separates digits with them (W4), and makes numbers after a
// left-to-right word part of it (W7).
func numbers(all []cluster) {
	strong := neutral
	for i := range all {
		switch all[i].dir {
		case left, right:
			strong = all[i].dir
		case number:
			if strong == left {
				all[i].dir = left
			}
		case neutral:
			separates := slices.Contains([]rune{'.', ',', ':', '/'}, all[i].runes[0])
			if separates && i > 0 && i+1 < len(all) && unicode.IsDigit(all[i-1].runes[0]) && unicode.IsDigit(all[i+1].runes[0]) {
				all[i].dir = all[i-1].dir
			}
		}
	}
}

// neutrals take the direction of what is on both sides, else the line's (N1, N2). A
// number counts as right.
func neutrals(all []cluster, base int) {
	line := left
	if base == 1 {
		line = right
	}
	side := func(i int) direction {
		switch {
		case i < 0 || i >= len(all):
			return line
		case all[i].dir == number:
			return right
		}
		return all[i].dir
	}
	for i := 0; i < len(all); i++ {
		if all[i].dir != neutral {
			continue
		}
		end := i
		for end < len(all) && all[end].dir == neutral {
			end++
		}
		dir := line
		if before := side(i - 1); before == side(end) {
			dir = before
		}
		for ; i < end; i++ {
			all[i].dir = dir
		}
	}
}

func levels(all []cluster, base int) (highest int) { // I1, I2
	for i := range all {
		c := &all[i]
		switch {
		case c.dir == right:
			c.level = 1
		case c.dir == number:
			c.level = 2
		default:
			c.level = 2 * base
		}
		highest = max(highest, c.level)
	}
	return highest
}

// reverse reverses each run of at least this level.
func reverse(all []cluster, level int) {
	for i := 0; i < len(all); i++ {
		end := i
		for end < len(all) && all[end].level >= level {
			end++
		}
		slices.Reverse(all[i:end])
		i = max(i, end-1)
	}
}

// mirror is the mirrored form of a bracket (L4).
func mirror(r rune) rune {
	const pairs = "()[]{}<>«»‹›"
	brackets := []rune(pairs)
	if i := slices.Index(brackets, r); i >= 0 {
		return brackets[i^1]
	}
	return r
}
