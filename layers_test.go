// The import rules as a test: what may know what.
package obvan_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"obvan/internal/layers"
)

// fences are the modules that only some folders may use, and why.
var fences = []struct {
	module  string
	folders []string
	why     string
}{
	{"github.com/bluenviron/gortsplib/v4", []string{"ingest/rtsp", "monitor/rtsp", "relay/rtsp", "media/rtp"}, "a move to v5 must stay a change of import paths"},
	{"github.com/andreykaipov/goobs", []string{"mixer/obs"}, "obs-websocket is one mixer's matter"},
	{"github.com/gorilla/websocket", []string{"control/server", "mixer/obs"}, "websockets are how clients and OBS are reached, and nothing else"},
	{"github.com/prometheus/client_golang", []string{"control/server"}, "every room counts; one page shows it"},
	{"github.com/pion/webrtc/v4", []string{"monitor/whep", "ingest/whip", "relay/whip", "internal/signalling"}, "WebRTC stays at its doors"},
	{"github.com/datarhei/gosrt", []string{"relay/srt"}, "each call that fails leaks a goroutine, and handshakes can panic: only its cryptography is used"},
	{"github.com/tphakala/go-aac", []string{"media/transcode"}, "it is LGPL: the code that touches it is one file"},
}

// never are packages that no code of ours may use.
var never = map[string]string{
	"github.com/andreykaipov/goobs": "its client deadlocks after one timeout; use the typed packages on our own connection",
	"log":                           "logs go to the *slog.Logger that was handed in",
}

// imports is the imports of each package of ours, without its tests.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all, err := layers.Imports(".")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImportsPointDown(t *testing.T) {
	all := imports(t)
	for pkg := range all {
		if _, _, err := layers.Of(pkg); err != nil {
			t.Error(err)
		}
	}
	for _, i := range layers.Ours(all) {
		if problem := i.Problem(); problem != "" {
			t.Error(problem)
		}
	}
}

func TestTestKitsStayInTests(t *testing.T) {
	kit := func(pkg string) bool {
		name := path.Base(pkg) // a selftest is a feature of the product
		return strings.HasSuffix(name, "test") && name != "selftest" || name == "testkit"
	}
	for pkg, imported := range imports(t) {
		for _, imp := range imported {
			if !kit(pkg) && (kit(strings.TrimPrefix(imp, layers.Module)) && strings.HasPrefix(imp, layers.Module) || imp == "testing") {
				t.Errorf("%s imports %s outside its tests", pkg, imp)
			}
		}
	}
}

func TestSomeModulesStayWhereTheyBelong(t *testing.T) {
	for pkg, imported := range imports(t) {
		for _, imp := range imported {
			if why := never[imp]; why != "" {
				t.Errorf("%s imports %s: %s", pkg, imp, why)
			}
			for _, fence := range fences {
				within := slices.ContainsFunc(fence.folders, func(f string) bool { return pkg == f || strings.HasPrefix(pkg, f+"/") })
				if (imp == fence.module || strings.HasPrefix(imp, fence.module+"/")) && !within {
					t.Errorf("%s imports %s: %s", pkg, imp, fence.why)
				}
			}
		}
	}
}
