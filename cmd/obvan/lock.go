package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// errLocked is the end of a second server on one data folder: both would write the
// show, and both would send to its destinations.
var errLocked = errors.New("another obvan uses this data folder")

// lock keeps the data folder for this process, until it is closed or we are dead.
func lock(data string) (io.Closer, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, fmt.Errorf("-data: %w", err)
	}
	f, err := openLocked(filepath.Join(data, "lock"))
	if err != nil {
		return nil, fmt.Errorf("-data %s: %w", data, err)
	}
	return f, nil
}
