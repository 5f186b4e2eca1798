package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// errLocked stops a second server on the same data folder: both would write the show, and
// both would send to its destinations.
var errLocked = errors.New("another obvan is using this data folder")

// lock reserves the data folder for this process, until it is closed or the process ends.
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
