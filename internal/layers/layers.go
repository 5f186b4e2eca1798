// Package layers is the import rules of the repository as a table: the rooms of the
// repository, how high each stands, and what it may import. layers_test.go enforces it
// and "make rooms" prints it.
package layers

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is the module's path with a slash: what our own imports begin with.
const Module = "obvan/"

// Room is a folder that has a place in the import rules, with the folders below it that
// have none of their own. It may import what stands lower, and what is in it.
type Room struct {
	Folder string
	Level  int
	// Inside is the level of the folders in it; 0 for the room's own. A room with such
	// folders says what things are, they say how: it imports none of them.
	Inside int
}

// rooms is the table, from the bottom to the top. Rooms of the same level do not import
// each other: they meet in the hub.
var rooms = []Room{
	{Folder: "internal"}, // tools; they know nobody
	{Folder: "web"},
	{Folder: "media", Level: 1, Inside: 2},
	{Folder: "hub", Level: 3},
	{Folder: "ingest", Level: 4, Inside: 5},
	{Folder: "mixer", Level: 4, Inside: 5},
	{Folder: "relay", Level: 4, Inside: 5},
	{Folder: "graphics", Level: 4, Inside: 5},
	{Folder: "record", Level: 5},
	{Folder: "monitor", Level: 5},
	{Folder: "control", Level: 6},
	{Folder: "control/store", Level: 7},
	{Folder: "control/args", Level: 7},
	{Folder: "control/auth", Level: 7},
	{Folder: "control/observe", Level: 7},
	{Folder: "control/showfile", Level: 8},
	{Folder: "control/studio", Level: 9},
	{Folder: "control/server", Level: 10},
	{Folder: "control/studiotest", Level: 11},
	{Folder: "control/tsgen", Level: 11},
	{Folder: "cmd", Level: 12},
	{Folder: "e2e", Level: 12},
}

// Of is the room a package is in and the package's level.
func Of(pkg string) (room string, level int, err error) {
	var found *Room
	for i := range rooms {
		r := &rooms[i]
		if (pkg == r.Folder || strings.HasPrefix(pkg, r.Folder+"/")) && (found == nil || len(r.Folder) > len(found.Folder)) {
			found = r
		}
	}
	switch {
	case found == nil || found.Folder == "control" && pkg != "control":
		return "", 0, fmt.Errorf("%s: no such room in the import rules; add it to internal/layers and to the design", pkg)
	case pkg != found.Folder && found.Inside > 0:
		return found.Folder, found.Inside, nil
	}
	return found.Folder, found.Level, nil
}

// Only lists folders of ours that few may import, and who.
var Only = []struct {
	Folder string
	By     []string
	Why    string
}{
	{"control/showfile", []string{"control/studio"}, "it holds the secrets of the show"},
}

// Import is one package that imports another of ours.
type Import struct{ From, To string }

// Problem says why an import breaks the rules; "" when it does.
func (i Import) Problem() string {
	from, fromLevel, err := Of(i.From)
	if err != nil {
		return err.Error()
	}
	to, toLevel, err := Of(i.To)
	if err != nil {
		return err.Error()
	}
	for _, o := range Only {
		if to == o.Folder && from != to && !slices.Contains(o.By, from) {
			return fmt.Sprintf("%s imports %s, which only %s may: %s", i.From, i.To, strings.Join(o.By, ", "), o.Why)
		}
	}
	switch {
	case to == "internal": // tools are for everybody, other tools among them
		return ""
	case from == to && !strings.Contains(i.From, "/") && i.From != i.To:
		return fmt.Sprintf("%s imports %s: a room says what things are, its folders how", i.From, i.To)
	case from != to && toLevel >= fromLevel:
		return fmt.Sprintf("%s imports %s, which does not stand lower", i.From, i.To)
	}
	return ""
}

// Imports is what each package of the module at root imports, without its tests. Paths of
// our own packages are folders of the module.
func Imports(root string) (map[string][]string, error) {
	all := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != root && (strings.HasPrefix(base, ".") || base == "node_modules" || base == "testdata" || base == "tools") {
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
		pkg, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		pkg = filepath.ToSlash(pkg)
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			all[pkg] = append(all[pkg], imported)
		}
		if all[pkg] == nil {
			all[pkg] = []string{}
		}
		return nil
	})
	return all, err
}

// Ours is the imports of our own packages among all of them, each pair once, in order.
func Ours(all map[string][]string) []Import {
	var ours []Import
	for pkg, imported := range all {
		for _, imp := range imported {
			if folder, ok := strings.CutPrefix(imp, Module); ok {
				ours = append(ours, Import{pkg, folder})
			}
		}
	}
	slices.SortFunc(ours, func(a, b Import) int { return strings.Compare(a.From+" "+a.To, b.From+" "+b.To) })
	return slices.Compact(ours)
}
