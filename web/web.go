// Package web carries the panel inside the binary: what `npm run build` left in
// dist, or a page that says how to build it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

//go:embed unbuilt
var unbuilt embed.FS

// Files is the panel's pages and assets, index.html among them in any case.
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
