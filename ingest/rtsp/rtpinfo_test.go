package rtsp

import (
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
)

func TestATrackIsFoundInRTPInfoInAllFormsOfItsAddress(t *testing.T) {
	for _, tc := range []struct {
		name, base, control, entry string
		want                       bool
	}{
		{"a full address", "rtsp://10.0.0.5/live/", "trackID=1", "rtsp://10.0.0.5/live/trackID=1", true},
		{"a password in our address", "rtsp://admin:s3cret@10.0.0.5/live/", "trackID=1", "rtsp://10.0.0.5/live/trackID=1", true},
		{"with its port", "rtsp://admin:s3cret@10.0.0.5/live", "trackID=1", "rtsp://10.0.0.5:554/live/trackID=1", true},
		{"with a query", "rtsp://10.0.0.5/cam/realmonitor?channel=1&subtype=0/", "trackID=0", "rtsp://10.0.0.5/cam/realmonitor?channel=1&subtype=0/trackID=0", true},
		{"by its control attribute alone", "rtsp://admin:s3cret@10.0.0.5/live/", "trackID=1", "trackID=1", true},
		{"another track", "rtsp://10.0.0.5/live/", "trackID=1", "rtsp://10.0.0.5/live/trackID=2", false},
		{"an invalid address", "rtsp://10.0.0.5/live/", "trackID=1", "::", false},
		{"empty", "rtsp://10.0.0.5/live/", "", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, err := base.ParseURL(tc.base)
			if err != nil {
				t.Fatal(err)
			}
			if got := matchesTrack(tc.entry, &description.Media{Control: tc.control}, at); got != tc.want {
				t.Fatal(got)
			}
		})
	}
}
