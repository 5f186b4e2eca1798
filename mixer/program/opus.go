package program

import (
	"time"

	"obvan/media"
	coding "obvan/media/sound"
)

// The program's sound is AAC, also while a phone is on air, which sends Opus: RTMP
// platforms hear nothing else, and none of them would stand the change. So the Opus
// of the source on air, and no other, is decoded and coded anew: 1 % of a core.

// warmUp is what a decoder needs to hear before it sounds right.
const decoderWarmUp = 200 * time.Millisecond

// translator is for one source, from its splice on.
type opusTranscoder struct {
	aac    *coding.ToAAC
	tracks *media.Tracks // of what comes out
}

// heardAs is how a source's sound is coded in the program.
func programAudio(t *media.Track) media.Track {
	if t.Codec == media.Opus {
		return coding.AACTrack()
	}
	return *t
}

// translate writes Opus of the source on air. What came long before its splice is
// not worth the work.
func (l *timeline) transcode(au media.AccessUnit) {
	if l.audio.grid.rate != 0 && l.timeMap.withoutExcess(au.DTS) < l.audio.grid.next()-decoderWarmUp {
		return
	}
	if l.opus == nil {
		t := &opusTranscoder{tracks: &media.Tracks{coding.AACTrack()}}
		to, err := coding.NewToAAC(func(aac media.AccessUnit) {
			aac.Tracks, aac.Track = t.tracks, 0
			l.writeAudio(aac)
		})
		if err != nil {
			return // it does not depend on the source; there is silence then
		}
		t.aac, l.opus = to, t
	}
	l.opus.aac.Write(&au)
}
