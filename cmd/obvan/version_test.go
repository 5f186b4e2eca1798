package main

import (
	"runtime/debug"
	"testing"
)

func TestTheVersionNamesTheCommit(t *testing.T) {
	build := func(revision, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{
			{Key: "GOOS", Value: "linux"}, {Key: "GOARCH", Value: "amd64"}, {Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified},
		}}
	}
	for _, c := range []struct {
		build *debug.BuildInfo
		want  string
	}{
		{build("0123456789abcdef", "false"), "obvan v0.3.1 (commit 0123456, go1.26.8, linux/amd64)"},
		{build("0123456789abcdef", "true"), "obvan v0.3.1 (commit 0123456+dirty, go1.26.8, linux/amd64)"},
		{build("", ""), "obvan v0.3.1 (commit unknown, go1.26.8, linux/amd64)"},
		{nil, "obvan v0.3.1 (commit unknown, , /)"},
	} {
		if got := versionLine("v0.3.1", "", c.build); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestTheLinkersCommitWins(t *testing.T) {
	build := &debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "fedcba9876"}}}
	if got, want := versionLine("dev", "0123456+dirty", build), "obvan dev (commit 0123456+dirty, go1.26.8, /)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTheVersionIsAskedForByWordOrFlag(t *testing.T) {
	for _, arg := range []string{"version", "-version", "--version"} {
		if !asksForVersion([]string{arg}) {
			t.Errorf("%s is not understood", arg)
		}
	}
	for _, args := range [][]string{nil, {"-demo"}, {"version", "-demo"}, {"-mixer", "version"}} {
		if asksForVersion(args) {
			t.Errorf("%q asks for the version", args)
		}
	}
}
