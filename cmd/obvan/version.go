package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
)

// Set by the linker (see the Makefile). Without it the commit is the one that the Go
// command noted, where it does.
var version, commit = "dev", ""

// asksForVersion reports whether the arguments are the question for the version alone.
func asksForVersion(args []string) bool {
	return len(args) == 1 && slices.Contains([]string{"version", "-version", "--version"}, args[0])
}

// versionLine is the version with what a fault report needs: the commit, the compiler and
// the system. build may be nil.
func versionLine(version, commit string, build *debug.BuildInfo) string {
	if build == nil {
		build = &debug.BuildInfo{}
	}
	setting := map[string]string{}
	for _, s := range build.Settings {
		setting[s.Key] = s.Value
	}
	if commit == "" {
		commit = setting["vcs.revision"]
		commit = commit[:min(len(commit), 7)]
		if setting["vcs.modified"] == "true" {
			commit += "+dirty"
		}
	}
	return fmt.Sprintf("obvan %s (commit %s, %s, %s/%s)", version, cmp.Or(commit, "unknown"), build.GoVersion, setting["GOOS"], setting["GOARCH"])
}
