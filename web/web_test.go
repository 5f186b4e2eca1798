package web

import (
	"io/fs"
	"strings"
	"testing"
)

func TestThereIsAlwaysAPageToShow(t *testing.T) {
	page, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "OB Van") {
		t.Errorf("index.html does not contain the product name:\n%s", page)
	}
}
