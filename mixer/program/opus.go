package program

import (
	"time"

	"obvan/media"
	"obvan/media/transcode"
)

// The program's audio is AAC, also while a phone is on air, which sends Opus: RTMP
// platforms accept nothing else, and none of them accepts a change of codec. So the Opus
// of the source on air, and of no other, is transcoded: 1 % of a core.

// decoderWarmUp is how much a decoder needs to be fed before its output is right.
const decoderWarmUp = 200 * time.Millisecond

// opusTranscoder is for one source, from its splice on.
type opusTranscoder struct {
	aac    *transcode.ToAAC
	tracks *media.Tracks // of what comes out
}

// programAudio is the track that a source's audio has in the program.
func programAudio(t *media.Track) media.Track {
	if t.Codec == media.Opus {
		return transcode.AACTrack()
	}
	return *t
}

// transcode writes Opus of the source on air as AAC. What is from long before its splice
// is not worth the work.
func (l *timeline) transcode(au media.AccessUnit) {
	if l.audio.grid.rate != 0 && l.timeMap.withoutExcess(au.DTS) < l.audio.grid.next()-decoderWarmUp {
		return
	}
	if l.opus == nil {
		t := &opusTranscoder{tracks: &media.Tracks{transcode.AACTrack()}}
		to, err := transcode.NewToAAC(func(aac media.AccessUnit) {
			aac.Tracks, aac.Track = t.tracks, 0
			l.writeAudio(aac)
		})
		if err != nil {
			return // no fault of the source; the program is silent then
		}
		t.aac, l.opus = to, t
	}
	l.opus.aac.Write(&au)
}
