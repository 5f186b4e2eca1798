package textrender

import "unicode"

// letter is where the shapes of an Arabic letter begin in the presentation forms:
// isolated and final; if it joins to both sides, also initial and medial.
type letter struct {
	alone rune
	both  bool
}

// letters is never changed.
var letters = map[rune]letter{
	'ء': {0xFE80, false}, 'آ': {0xFE81, false}, 'أ': {0xFE83, false}, 'ؤ': {0xFE85, false}, 'إ': {0xFE87, false},
	'ئ': {0xFE89, true}, 'ا': {0xFE8D, false}, 'ب': {0xFE8F, true}, 'ة': {0xFE93, false}, 'ت': {0xFE95, true},
	'ث': {0xFE99, true}, 'ج': {0xFE9D, true}, 'ح': {0xFEA1, true}, 'خ': {0xFEA5, true}, 'د': {0xFEA9, false},
	'ذ': {0xFEAB, false}, 'ر': {0xFEAD, false}, 'ز': {0xFEAF, false}, 'س': {0xFEB1, true}, 'ش': {0xFEB5, true},
	'ص': {0xFEB9, true}, 'ض': {0xFEBD, true}, 'ط': {0xFEC1, true}, 'ظ': {0xFEC5, true}, 'ع': {0xFEC9, true},
	'غ': {0xFECD, true}, 'ف': {0xFED1, true}, 'ق': {0xFED5, true}, 'ك': {0xFED9, true}, 'ل': {0xFEDD, true},
	'م': {0xFEE1, true}, 'ن': {0xFEE5, true}, 'ه': {0xFEE9, true}, 'و': {0xFEED, false}, 'ى': {0xFEEF, false},
	'ي': {0xFEF1, true},
	// Persian and Urdu
	'پ': {0xFB56, true}, 'چ': {0xFB7A, true}, 'ژ': {0xFB8A, false}, 'ک': {0xFB8E, true}, 'گ': {0xFB92, true},
	'ٹ': {0xFB66, true}, 'ڈ': {0xFB88, false}, 'ڑ': {0xFB8C, false}, 'ے': {0xFBAE, false}, 'ی': {0xFBFC, true},
}

// withLam are the isolated shapes of lam with an alef; the final shape is the next one.
var withLam = map[rune]rune{'آ': 0xFEF5, 'أ': 0xFEF7, 'إ': 0xFEF9, 'ا': 0xFEFB}

const (
	hamza  = 'ء' // joins to nothing
	lam    = 'ل'
	tatwil = 'ـ' // only joins
)

// shape replaces Arabic letters by their joined shapes.
func shape(runes []rune) []rune {
	shaped := make([]rune, 0, len(runes))
	joined := false // the letter before joins to this one
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		l, known := letters[r]
		switch {
		case unicode.Is(unicode.Mn, r): // marks do not separate letters
			shaped = append(shaped, r)
			continue
		case r == tatwil:
			shaped, joined = append(shaped, r), true
			continue
		case !known:
			shaped, joined = append(shaped, r), false
			continue
		}
		if alef, ok := withLam[at(runes, i+1)]; r == lam && ok {
			shaped = append(shaped, alef+one(joined))
			joined = false
			i++
			continue
		}
		next := l.both && joins(runes[i+1:])
		form := l.alone
		if r != hamza {
			form += one(joined)
		}
		if next {
			form += 2
		}
		shaped, joined = append(shaped, form), next
	}
	return shaped
}

func one(yes bool) rune {
	if yes {
		return 1
	}
	return 0
}

func at(runes []rune, i int) rune {
	if i < len(runes) {
		return runes[i]
	}
	return 0
}

// joins reports whether the letter that follows joins to the one before it.
func joins(after []rune) bool {
	for _, r := range after {
		if unicode.Is(unicode.Mn, r) {
			continue
		}
		_, known := letters[r]
		return (known || r == tatwil) && r != hamza
	}
	return false
}
