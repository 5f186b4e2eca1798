package showfile

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"obvan/control"
)

// AsRunLine is one line of as-run.jsonl: what happened, and who did it.
type AsRunLine struct {
	At      time.Time     `json:"at"`
	Level   control.Level `json:"level"`
	Who     string        `json:"who,omitempty"` // empty: it happened without a command
	Role    string        `json:"role,omitempty"`
	Remote  string        `json:"remote,omitempty"`
	Command string        `json:"command,omitempty"`
	Text    string        `json:"text"`
}

// asRunQueue is how many lines may wait for the disk. A cut must not.
const asRunQueue = 1024

// AsRun is the as-run log: only ever appended to, and synced.
type AsRun struct {
	file      *os.File
	log       *slog.Logger
	queue     chan AsRunLine
	lost      atomic.Uint64
	truncated bool // the last line may have no end: of run
}

// OpenAsRun opens the log in the data directory, or starts one.
func OpenAsRun(dir string, log *slog.Logger) (*AsRun, error) {
	file, err := os.OpenFile(filepath.Join(dir, "as-run.jsonl"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the as-run log: %w", err)
	}
	return &AsRun{file: file, log: log, queue: make(chan AsRunLine, asRunQueue), truncated: truncated(file)}, nil
}

// truncated reports whether a file's last line has no end: a power cut may leave it so.
func truncated(file *os.File) bool {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, size-1)
	return err != nil || last[0] != '\n'
}

// Add notes a line; it never blocks.
func (a *AsRun) Add(line AsRunLine) {
	select {
	case a.queue <- line:
	default:
		if a.lost.Add(1) == 1 {
			a.log.Error("the disk is too slow for the as-run log: lines are lost")
		}
	}
}

// Close closes a log that is not run.
func (a *AsRun) Close() { _ = a.file.Close() }

// Run writes until ctx is done and all queued lines are written.
func (a *AsRun) Run(ctx context.Context) {
	defer a.file.Close()
	for {
		select {
		case line := <-a.queue:
			a.write(line)
		case <-ctx.Done():
			for {
				select {
				case line := <-a.queue:
					a.write(line)
				default:
					return
				}
			}
		}
	}
}

// write appends line and what was queued meanwhile, and syncs once.
func (a *AsRun) write(line AsRunLine) {
	out := bufio.NewWriter(a.file)
	if a.truncated { // half a line must not break the next
		_ = out.WriteByte('\n')
	}
	lines := json.NewEncoder(out)
	err := lines.Encode(line)
	for n := len(a.queue); n > 0 && err == nil; n-- {
		err = lines.Encode(<-a.queue)
	}
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		a.log.Error("the as-run log could not be written", "err", err)
	}
	a.truncated = err != nil
}
