// Package showfile keeps the show in the data directory: show.json without secrets,
// secrets.json for the owner alone, and the as-run log. Only the studio imports it.
package showfile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"obvan/internal/disk"
	"obvan/mixer/obs/provision"
)

const (
	showName    = "show.json"
	secretsName = "secrets.json"
)

// File is the show and its secrets, in memory and in the data directory.
type File struct {
	dir     string
	log     *slog.Logger
	editing chan struct{} // held by the one who edits: files are not written under the mutex

	onDisk map[string][]byte // by file; for the one who edits
	behind atomic.Bool       // the disk failed: it has not all that is in memory

	mu      sync.Mutex
	show    Show
	secrets Secrets
}

// Open reads the data directory, or creates it. problems is what an operator must know
// about it.
func Open(dir string, log *slog.Logger) (f *File, problems []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("create the data directory: %w", err)
	}
	f = &File{dir: dir, log: log, editing: make(chan struct{}, 1), onDisk: map[string][]byte{}}
	for name, into := range map[string]any{showName: &f.show, secretsName: &f.secrets} {
		aside, err := readJSON(filepath.Join(dir, name), into)
		if err != nil {
			return nil, nil, err
		}
		if aside == "" {
			f.onDisk[name], _ = json.MarshalIndent(into, "", "\t") // where there is no file, save checks
			continue
		}
		log.Error("a file of the show is damaged and was set aside", "file", name, "aside", aside)
		problems = append(problems, fmt.Sprintf("%s could not be read. It was saved as %s; its content is not in use.", name, filepath.Base(aside)))
		if name == showName {
			f.show = Show{}
		} else {
			f.secrets = Secrets{}
		}
	}
	if f.secrets.Feeds == nil {
		f.secrets.Feeds = map[string]FeedSecret{}
	}
	if f.secrets.Destinations == nil {
		f.secrets.Destinations = map[string]DestinationSecret{}
	}
	if f.secrets.OBSUndo == nil {
		f.secrets.OBSUndo = map[string]*provision.Undo{}
	}
	if f.show.OBS == nil {
		f.show.OBS = map[string]OBSSetup{}
	}
	return f, problems, nil
}

// Read hands out the show and its secrets to look at; look must not block or change
// anything.
func (f *File) Read(look func(*Show, *Secrets)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	look(&f.show, &f.secrets)
}

// Behind reports whether the disk does not have all that is in memory.
func (f *File) Behind() bool { return f.behind.Load() }

// ErrNotSaved is an edit that holds, but only until the server ends.
var ErrNotSaved = errors.New("the change is in use but could not be saved")

// Edit changes the show, one editor at a time. When change fails nothing is changed. When
// the disk fails the change holds all the same, the show goes on, and the error wraps
// ErrNotSaved.
func (f *File) Edit(ctx context.Context, change func(*Show, *Secrets) error) error {
	select {
	case f.editing <- struct{}{}:
		defer func() { <-f.editing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.Lock()
	show, secrets := f.show.Clone(), f.secrets.Clone()
	f.mu.Unlock()
	if err := change(&show, &secrets); err != nil {
		return err
	}
	f.mu.Lock()
	f.show, f.secrets = show, secrets
	f.mu.Unlock()
	// Secrets first: a feed without its key would be open, a key without its feed harms no
	// one.
	err := errors.Join(f.save(secretsName, 0o600, secrets), f.save(showName, 0o600, show))
	if was := f.behind.Swap(err != nil); err != nil {
		if !was {
			f.log.Error("the show could not be saved", "err", err)
		}
		return fmt.Errorf("%w: %w", ErrNotSaved, err)
	}
	return nil
}

// save writes what the disk does not have yet, also because it failed the last time.
func (f *File) save(name string, mode os.FileMode, now any) error {
	is, err := json.MarshalIndent(now, "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(f.dir, name)
	if _, err := os.Stat(path); err == nil && bytes.Equal(f.onDisk[name], is) {
		return nil
	}
	delete(f.onDisk, name)
	if err := disk.Write(path, append(bytes.Clone(is), '\n'), mode); err != nil {
		return err
	}
	f.onDisk[name] = is
	return nil
}
