package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// generated is the module's root and what is generated in it.
func generated(t *testing.T) (root string, files map[string][]byte) {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err = generate(root)
	if err != nil {
		t.Fatal(err)
	}
	return root, files
}

func TestTheGeneratedFilesAreFresh(t *testing.T) {
	root, files := generated(t)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run make generate", name)
		}
	}
}

func TestEverySectionAndCommandIsInBothFiles(t *testing.T) {
	_, files := generated(t)
	for name, text := range files {
		for _, want := range []string{"show", "feeds", "mixer", "program", "destinations", "tally", "clients", "log", "mixer.cut", "token.revoke", "DestinationState", "'off' | 'connecting'"} {
			if strings.HasSuffix(name, ".md") && strings.HasPrefix(want, "'") {
				want = "`\"connecting\"`"
			}
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %s", name, want)
			}
		}
		if strings.Contains(string(text), "unknown") && strings.HasSuffix(name, ".ts") {
			t.Errorf("%s has a type that TypeScript can't see into", name)
		}
	}
}
