package freezedetect

import "io"

// A thumbnail is this many gray pixels.
const (
	width  = 160
	height = 90
)

const (
	// tolerance is how far a pixel may be from the median in an image of one color, and
	// maxOutliers how many of a thousand may be further: a lens cap has noise, too.
	tolerance   = 8
	maxOutliers = 20
	// motionThreshold is the mean difference, in hundredths of a gray level, from which on two
	// frames are different. Two keyframes of one still image differ by up to 23, because they
	// are not encoded alike; those of a live scene in which nothing moves by 45 and more.
	motionThreshold = 30
)

// read reads thumbnails until the decoder ends, and reports a sample for each.
func read(r io.Reader, report func(Sample)) {
	image, previous := make([]byte, width*height), make([]byte, 0, width*height)
	for {
		if _, err := io.ReadFull(r, image); err != nil {
			return
		}
		report(Sample{Black: uniform(image), Frozen: len(previous) > 0 && frozen(image, previous)})
		previous = append(previous[:0], image...)
	}
}

// uniform reports whether an image is of one color.
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

// frozen reports whether two images are the same.
func frozen(a, b []byte) bool {
	sum := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		sum += max(d, -d)
	}
	return sum*100 < motionThreshold*len(a)
}
