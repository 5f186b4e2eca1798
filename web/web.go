// Package web embeds the panel: the output of `npm run build` in dist, or a page that
// says how to build it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

//go:embed unbuilt
var unbuilt embed.FS

// Files returns the panel's pages and assets; there is always an index.html.
func Files() fs.FS {
	if _, err := fs.Stat(dist, "dist/index.html"); err != nil {
		return folder(unbuilt, "unbuilt")
	}
	return folder(dist, "dist")
}

func folder(files embed.FS, name string) fs.FS {
	sub, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // only for a malformed name, and ours are constants
	}
	return sub
}
