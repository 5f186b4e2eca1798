package main

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestASecondServerOnADataFolderIsRefused(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new")
	first, err := lock(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(data); !errors.Is(err, errLocked) {
		t.Fatalf("err = %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lock(data)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
