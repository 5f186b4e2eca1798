package disk_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"obvan/internal/disk"
)

func TestAFileIsReplacedAtomicallyOrLeftAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "show.json")
	is := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("it is %q, %v; want %q", got, err, want)
		}
		if all, _ := os.ReadDir(filepath.Dir(path)); len(all) != 1 {
			t.Errorf("beside it: %v", all)
		}
	}
	for _, content := range []string{"a long first version", "short"} {
		if err := disk.Write(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		is(content)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	full := errors.New("the disk is full")
	err := disk.Replace(path, 0o600, func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return full })
	if !errors.Is(err, full) {
		t.Errorf("err = %v", err)
	}
	is("short")
}
