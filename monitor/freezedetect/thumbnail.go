package freezedetect

import "io"

// A thumbnail is this many grey pixels.
const (
	width  = 160
	height = 90
)

const (
	// alike is how far a pixel may be from the others in a picture of one colour, and
	// how many of a thousand may be further: a lens cap has noise, too.
	tolerance   = 8
	maxOutliers = 20
	// moved is the mean difference, in hundredths of a grey level, of two pictures that
	// are not the same. Two key frames of one picture are up to 23 apart, because they
	// are not coded alike; those of a live scene in which nothing moves, 45 and more.
	motionThreshold = 30
)

// read reads thumbnails until there are none any more.
func read(r io.Reader, report func(Sample)) {
	now, was := make([]byte, width*height), make([]byte, 0, width*height)
	for {
		if _, err := io.ReadFull(r, now); err != nil {
			return
		}
		report(Sample{Black: uniform(now), Frozen: len(was) > 0 && frozen(now, was)})
		was = append(was[:0], now...)
	}
}

// plain reports whether a picture is of one colour.
func uniform(pixels []byte) bool {
	var counts [256]int
	for _, p := range pixels {
		counts[p]++
	}
	middle, seen := 0, 0
	for seen += counts[0]; seen <= len(pixels)/2; seen += counts[middle] {
		middle++
	}
	far := 0
	for level, n := range counts {
		if level < middle-tolerance || level > middle+tolerance {
			far += n
		}
	}
	return far*1000 <= maxOutliers*len(pixels)
}

// still reports whether two pictures are the same.
func frozen(a, b []byte) bool {
	sum := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		sum += max(d, -d)
	}
	return sum*100 < motionThreshold*len(a)
}
