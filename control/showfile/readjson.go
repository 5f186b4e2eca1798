package showfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// readJSON reads a file into v. A file that is not there leaves v alone. One that is
// broken is put aside, never lost: aside is where.
func readJSON(path string, v any) (aside string, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the show: %w", err)
	}
	if json.Unmarshal(content, v) == nil {
		return "", nil
	}
	aside = fmt.Sprintf("%s.broken-%s", path, time.Now().UTC().Format("20060102T150405.000"))
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("set the damaged %s aside: %w", filepath.Base(path), err)
	}
	return aside, nil
}
