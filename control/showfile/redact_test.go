package showfile_test

import (
	"strings"
	"testing"

	"obvan/control/showfile"
)

func FuzzRestore(f *testing.F) {
	f.Add("rtsp://joe:***@cam/s?token=***", "rtsp://joe:pa55word@cam/s?token=t0ken123")
	f.Add("rtsp://***@cam/", "rtsp://cam")
	f.Add("rtsp://joe:***@cam:9/%zz", "rtsp://joe:a%40b@cam:9/?a=b&a=c")
	f.Add("?a=***", "?a")
	f.Add("https://h/***?a=1", "https://h/whip/s3cret%2F")
	f.Fuzz(func(t *testing.T, edit, was string) {
		whole, err := showfile.RestoreSecrets(edit, was)
		if err != nil || whole == edit || whole == was {
			return
		}
		if strings.Contains(whole, showfile.Hidden) || showfile.OtherHost(whole, was) {
			t.Fatalf("%q over %q became %q", edit, was, whole)
		}
	})
}
