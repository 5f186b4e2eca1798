// Rooms prints the import rules: the rooms, how high each stands, and which imports
// which. It fails when an import points up. Run it in the module's root: make rooms
package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"obvan/internal/layers"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "rooms:", err)
		os.Exit(1)
	}
}

func run() error {
	all, err := layers.Imports(".")
	if err != nil {
		return err
	}
	rooms, err := collect(all)
	if err != nil {
		return err
	}
	fmt.Println("level  room                  packages  files  lines   imports (the number of imports)")
	for _, r := range rooms {
		fmt.Printf("%5d  %-20s  %8d  %5d  %5d   %s\n", r.level, r.name, r.packages, r.files, r.lines, r.arrows())
	}
	fmt.Println()
	var up []string
	for _, i := range layers.Ours(all) {
		if problem := i.Problem(); problem != "" {
			up = append(up, problem)
		}
	}
	largest(rooms)
	if len(up) > 0 {
		return fmt.Errorf("upward: %d\n  %s", len(up), strings.Join(up, "\n  "))
	}
	fmt.Println("upward: none")
	return nil
}

// room is what is counted of a room; folders inside a room that stand on a level of their
// own count as a room "name/...".
type room struct {
	name                   string
	level                  int
	packages, files, lines int
	biggest                string // file
	biggestLines           int
	to                     map[string]int
}

func (r *room) arrows() string {
	var all []string
	for name, n := range r.to {
		all = append(all, fmt.Sprintf("%s (%d)", name, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func nameOf(pkg string) (name string, level int, err error) {
	name, level, err = layers.Of(pkg)
	if err == nil && pkg != name {
		if _, own, _ := layers.Of(name); own != level {
			name += "/..."
		}
	}
	return name, level, err
}

func collect(all map[string][]string) ([]*room, error) {
	byName := map[string]*room{}
	for pkg := range all {
		if pkg == "." {
			continue
		}
		name, level, err := nameOf(pkg)
		if err != nil {
			return nil, err
		}
		r := byName[name]
		if r == nil {
			r = &room{name: name, level: level, to: map[string]int{}}
			byName[name] = r
		}
		if err := r.count(pkg); err != nil {
			return nil, err
		}
	}
	for _, i := range layers.Ours(all) {
		from, _, err := nameOf(i.From)
		if err != nil {
			return nil, err
		}
		if to, _, err := nameOf(i.To); err == nil && to != from && to != "internal" {
			byName[from].to[to]++
		}
	}
	rooms := make([]*room, 0, len(byName))
	for _, r := range byName {
		rooms = append(rooms, r)
	}
	slices.SortFunc(rooms, func(a, b *room) int { return cmp.Or(cmp.Compare(b.level, a.level), cmp.Compare(a.name, b.name)) })
	return rooms, nil
}

// count adds a package's files, without its tests.
func (r *room) count(pkg string) error {
	names, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil {
		return err
	}
	r.packages++
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		n := bytes.Count(text, []byte("\n"))
		r.files++
		r.lines += n
		if n > r.biggestLines {
			r.biggest, r.biggestLines = name, n
		}
	}
	return nil
}

// largest says which of control's rooms and files is the largest.
func largest(rooms []*room) {
	var most, file *room
	for _, r := range rooms {
		if r.name != "control" && !strings.HasPrefix(r.name, "control/") || strings.HasSuffix(r.name, "test") {
			continue
		}
		if most == nil || r.lines > most.lines {
			most = r
		}
		if file == nil || r.biggestLines > file.biggestLines {
			file = r
		}
	}
	if most != nil {
		fmt.Printf("control's biggest room: %s, %d files, %d lines\ncontrol's biggest file: %s, %d lines\n", most.name, most.files, most.lines, filepath.ToSlash(file.biggest), file.biggestLines)
	}
}
