package rtsp

import (
	"bytes"
	"strings"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/sdp"
)

// mend leaves the tracks out of a camera's description that the library can't read: for
// one of them, sound of an odd kind, say, it would refuse the picture as well.
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

// understood says whether the library can read a description.
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
