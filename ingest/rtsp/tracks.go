package rtsp

import (
	"bytes"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/sdp"
)

// dropUnreadableTracks removes the tracks that the library can't parse from a camera's
// session description: because of one, such as audio in an unknown format, it would
// refuse the video as well.
func dropUnreadableTracks(res *base.Response) {
	if kind := res.Header["Content-Type"]; len(kind) != 1 || !strings.HasPrefix(kind[0], "application/sdp") || readable(res.Body) {
		return
	}
	tracks := bytes.SplitAfter(res.Body, []byte("\nm="))
	if len(tracks) > 2*maxMedias {
		return
	}
	const start = len("m=")
	for i := range tracks[:len(tracks)-1] { // a track begins with its "m="
		n := len(tracks[i]) - start
		tracks[i], tracks[i+1] = tracks[i][:n:n], append([]byte("m="), tracks[i+1]...)
	}
	result := bytes.Clone(tracks[0])
	for _, track := range tracks[1:] {
		if readable(append(bytes.Clone(tracks[0]), track...)) {
			result = append(result, track...)
		}
	}
	res.Body = result
}

// readable reports whether the library can parse a session description.
func readable(text []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	var parsed sdp.SessionDescription
	var d description.Session
	return parsed.Unmarshal(text) == nil && d.Unmarshal(&parsed) == nil
}
