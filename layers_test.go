// The import picture of the house rules as a test: what may know what.
package obvan_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "obvan/"

// level is how high a package stands; it may import only what stands lower, and what
// is in its own room. Rooms of the same level meet in the hub.
func level(pkg string) (int, error) {
	room, inside, _ := strings.Cut(pkg, "/")
	switch room {
	case "internal", "web": // tools; they know nobody
		return 0, nil
	case "media":
		if inside == "" {
			return 1, nil
		}
		return 2, nil
	case "hub":
		return 3, nil
	case "ingest", "mixer", "relay", "graphics":
		if inside == "" {
			return 4, nil
		}
		return 5, nil
	case "record", "monitor":
		return 5, nil
	case "control":
		return 6, nil
	case "cmd", "e2e":
		return 7, nil
	}
	return 0, fmt.Errorf("%s: no such room in the import picture; add it to layers_test.go and to the design", pkg)
}

// fences are the modules that only some folders may use, and why.
var fences = []struct {
	module  string
	folders []string
	why     string
}{
	{"github.com/bluenviron/gortsplib/v4", []string{"ingest/rtsp", "monitor/rtsp", "relay/rtsp", "media/rtp"}, "a move to v5 must stay a change of import paths"},
	{"github.com/andreykaipov/goobs", []string{"mixer/obs", "control/obsws"}, "obs-websocket is one mixer's matter"},
	{"github.com/gorilla/websocket", []string{"control", "mixer/obs"}, "one websocket library, two doors"},
	{"github.com/prometheus/client_golang", []string{"control"}, "rooms count; control tells"},
	{"github.com/pion/webrtc/v4", []string{"monitor/whep", "ingest/whip", "relay/whip", "internal/signalling"}, "WebRTC stays at its doors"},
	{"github.com/datarhei/gosrt", []string{"relay/srt"}, "each call that fails leaks a goroutine, and handshakes can panic: only its cryptography is used"},
	{"github.com/tphakala/go-aac", []string{"media/sound"}, "it is LGPL: the code that touches it is one file"},
}

// never are packages that no code of ours may use.
var never = map[string]string{
	"github.com/andreykaipov/goobs": "its client deadlocks after one timeout; use the typed packages on our own connection",
	"log":                           "logs go to the *slog.Logger that was handed in",
}

// imports is the imports of each package of ours, without its tests.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(base, ".") || base == "node_modules" || base == "testdata" || base == "tools") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(filepath.Dir(name))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			all[pkg] = append(all[pkg], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestImportsPointDown(t *testing.T) {
	for pkg, imported := range imports(t) {
		from, err := level(pkg)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, imp := range imported {
			ours, ok := strings.CutPrefix(imp, module)
			if !ok {
				continue
			}
			to, err := level(ours)
			if err != nil {
				t.Error(err)
			}
			if sameRoom := room(pkg) == room(ours) && room(pkg) != "internal"; to >= from && !sameRoom && room(ours) != "internal" {
				t.Errorf("%s imports %s, which does not stand lower", pkg, ours)
			}
		}
	}
}

func room(pkg string) string { room, _, _ := strings.Cut(pkg, "/"); return room }

func TestARoomDoesNotKnowItsOwnFolders(t *testing.T) {
	for pkg, imported := range imports(t) {
		for _, imp := range imported {
			ours, ok := strings.CutPrefix(imp, module)
			if ok && strings.HasPrefix(ours, pkg+"/") && !strings.Contains(pkg, "/") {
				t.Errorf("%s imports %s: a room says what things are, its folders how", pkg, ours)
			}
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
			if !kit(pkg) && (kit(strings.TrimPrefix(imp, module)) && strings.HasPrefix(imp, module) || imp == "testing") {
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
