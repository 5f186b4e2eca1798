package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"obvan/graphics"
	"obvan/internal/disk"
	"obvan/mixer/obs/provision"
	"obvan/mixer/program"
	"obvan/relay"
)

// kept is what show.json keeps: the show without its secrets.
type kept struct {
	Name         string            `json:"name"`
	Live         bool              `json:"live"`
	Since        *time.Time        `json:"since,omitempty"`
	OnAir        string            `json:"onAir,omitempty"` // on the program bus of a mixer that is a Resumer
	Backups      []string          `json:"backups,omitempty"`
	Triggers     []program.Fault   `json:"triggers,omitempty"`
	TimeoutMs    int               `json:"timeoutMs,omitempty"`
	Timeouts     map[string]int    `json:"timeouts,omitempty"` // of rungs that have their own, in ms
	Feeds        []keptFeed        `json:"feeds"`
	Destinations []keptDestination `json:"destinations"`
	Graphics     []graphics.Item   `json:"graphics,omitempty"`

	OBS map[string]keptSetup `json:"obs,omitempty"` // by scene collection
}

type keptFeed struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	URL  string `json:"url,omitempty"` // secrets in it are written ***
}

type keptDestination struct {
	relay.Destination
	Started bool `json:"started"` // it was sending: after a crash in mid-show it does again
}

// secrets is what secrets.json keeps, and nothing else ever shows.
type secrets struct {
	Tokens       []keptToken                  `json:"tokens"`
	Feeds        map[string]feedSecret        `json:"feeds"`
	Destinations map[string]destinationSecret `json:"destinations"`
	MixerKey     string                       `json:"mixerKey"`
	OBSPassword  string                       `json:"obsPassword,omitempty"`
	OBSUndo      map[string]*provision.Undo   `json:"obsUndo,omitempty"` // by scene collection; it has the stream key that OBS had before
}

type keptToken struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Hash    string    `json:"hash"` // SHA-256, hex; the token has 256 random bits, so it needs no salt and no slow hash
	Created time.Time `json:"created"`
}

type feedSecret struct {
	Key        string `json:"key,omitempty"`
	Everywhere bool   `json:"everywhere,omitempty"` // an operator chose the key: this machine needs it too
	URL        string `json:"url,omitempty"`        // whole
}

type destinationSecret struct {
	Key       string `json:"key,omitempty"`
	URL       string `json:"url"` // whole
	BackupURL string `json:"backupUrl,omitempty"`
}

func (k *kept) feed(id string) int {
	return slices.IndexFunc(k.Feeds, func(f keptFeed) bool { return f.ID == id })
}

func (k *kept) destination(id string) int {
	return slices.IndexFunc(k.Destinations, func(d keptDestination) bool { return d.ID == id })
}

func (k kept) clone() kept {
	k.Backups, k.Feeds, k.Destinations = slices.Clone(k.Backups), slices.Clone(k.Feeds), slices.Clone(k.Destinations)
	k.Graphics, k.OBS = slices.Clone(k.Graphics), maps.Clone(k.OBS)
	return k
}

func (s secrets) clone() secrets {
	s.Tokens, s.Feeds, s.Destinations = slices.Clone(s.Tokens), maps.Clone(s.Feeds), maps.Clone(s.Destinations)
	s.OBSUndo = maps.Clone(s.OBSUndo)
	return s
}

// withKey is the feeds that have a key.
func (s *secrets) withKey() map[string]bool {
	all := map[string]bool{}
	for id, f := range s.Feeds {
		all[id] = f.Key != ""
	}
	return all
}

// book keeps the show and its secrets, in memory and in the data directory.
type book struct {
	dir  string
	log  *slog.Logger
	turn chan struct{} // held by the one who edits: files are not written under the mutex

	saved  map[string][]byte // by file, what the disk has; for the one who edits
	behind atomic.Bool       // the disk failed: it has not all that is kept

	mu      sync.Mutex
	kept    kept
	secrets secrets
}

// openBook reads the data directory, or starts one. told is what an operator must
// know of it.
func openBook(dir string, log *slog.Logger) (b *book, told []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the data directory: %w", err)
	}
	b = &book{dir: dir, log: log, turn: make(chan struct{}, 1), saved: map[string][]byte{}}
	for name, into := range map[string]any{"show.json": &b.kept, "secrets.json": &b.secrets} {
		aside, err := readJSON(filepath.Join(dir, name), into)
		if err != nil {
			return nil, nil, err
		}
		if aside == "" {
			b.saved[name], _ = json.MarshalIndent(into, "", "\t") // where there is no file, save looks
			continue
		}
		log.Error("a file of the show was broken and is put aside", "file", name, "aside", aside)
		told = append(told, fmt.Sprintf("%s could not be read. It is kept as %s; what it said is not in use.", name, filepath.Base(aside)))
		if name == "show.json" {
			b.kept = kept{}
		} else {
			b.secrets = secrets{}
		}
	}
	if b.secrets.Feeds == nil {
		b.secrets.Feeds = map[string]feedSecret{}
	}
	if b.secrets.Destinations == nil {
		b.secrets.Destinations = map[string]destinationSecret{}
	}
	if b.secrets.OBSUndo == nil {
		b.secrets.OBSUndo = map[string]*provision.Undo{}
	}
	if b.kept.OBS == nil {
		b.kept.OBS = map[string]keptSetup{}
	}
	return b, told, nil
}

// read hands out what is kept to look at; look must not block or change anything.
func (b *book) read(look func(*kept, *secrets)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	look(&b.kept, &b.secrets)
}

// errNotSaved is an edit that holds, but only until the server ends.
var errNotSaved = errors.New("the change is in use but could not be saved")

// edit changes what is kept, one editor at a time. When change fails nothing is
// changed. When the disk fails the change holds all the same, the show goes on, and
// the error wraps errNotSaved.
func (b *book) edit(ctx context.Context, change func(*kept, *secrets) error) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	newKept, newSecrets := b.kept.clone(), b.secrets.clone()
	b.mu.Unlock()
	if err := change(&newKept, &newSecrets); err != nil {
		return err
	}
	b.mu.Lock()
	b.kept, b.secrets = newKept, newSecrets
	b.mu.Unlock()
	// Secrets first: a feed without its key would be open, a key without its feed
	// harms nobody.
	err := errors.Join(b.save("secrets.json", 0o600, newSecrets), b.save("show.json", 0o600, newKept))
	if was := b.behind.Swap(err != nil); err != nil {
		if !was {
			b.log.Error("the show could not be saved", "err", err)
		}
		return fmt.Errorf("%w: %w", errNotSaved, err)
	}
	return nil
}

// save writes what the disk does not have yet, be it because it failed the last time.
func (b *book) save(name string, mode os.FileMode, now any) error {
	is, err := json.MarshalIndent(now, "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(b.dir, name)
	if _, err := os.Stat(path); err == nil && bytes.Equal(b.saved[name], is) {
		return nil
	}
	delete(b.saved, name)
	if err := disk.Write(path, append(bytes.Clone(is), '\n'), mode); err != nil {
		return err
	}
	b.saved[name] = is
	return nil
}
