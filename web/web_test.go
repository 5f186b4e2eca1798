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
		t.Errorf("index.html does not say whose page it is:\n%s", page)
	}
}
