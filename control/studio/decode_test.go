package studio_test

import (
	"testing"

	"obvan/control"
	"obvan/control/args"
	"obvan/control/studio"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"id":"a","name":"b"}`, `{"id":1}`, `[`, `null`, `{"key":{"a":[]}}`, `{"name":"\ud800"}`, "\xff", `{"":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, into := range []any{&studio.FeedAddArgs{}, &studio.DestinationUpdateArgs{}, &studio.BackupsArgs{}, &studio.TokenCreateArgs{}, &studio.FailoverArgs{}, &studio.TakeArgs{}} {
			err := args.Decode(raw, into)
			if code, _ := control.Code(err); err != nil && code != control.BadRequest {
				t.Fatalf("%q: %v", raw, err)
			}
		}
	})
}
