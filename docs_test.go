package obvan_test

import (
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
)

// tracked are the files of the project that are in git, or are going to be.
func tracked(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "-co", "--exclude-standard").Output()
	if err != nil {
		t.Fatal("git lists no files:", err)
	}
	return strings.Fields(string(out))
}

// named is a file or folder of ours in backticks.
var named = regexp.MustCompile("`((?:cmd|control|docs|e2e|graphics|hub|ingest|internal|media|mixer|monitor|relay|scripts|web)/[A-Za-z0-9_./-]*[A-Za-z0-9_])`")

// notHere are examples in the docs, and folders that a build makes.
var notHere = map[string]bool{"ingest/x": true, "mixer/x": true, "relay/x": true, "monitor/x": true, "media/x": true, "web/dist": true}

func TestDocsNameFilesThatExist(t *testing.T) {
	checked := 0
	for _, name := range tracked(t) {
		if path.Ext(name) != ".md" {
			continue
		}
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range named.FindAllStringSubmatch(string(text), -1) {
			checked++
			if file := match[1]; !notHere[file] && !strings.Contains(file, "NAME") {
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s names %s, which is not there", name, file)
				}
			}
		}
	}
	if checked < 40 {
		t.Errorf("only %d names of files were found", checked)
	}
}
