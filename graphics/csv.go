package graphics

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxCSV limits the size of an import.
const maxCSV = 1 << 20

// ParseCSV reads names as spreadsheets export them: comma, semicolon or tab between
// the fields, UTF-8 with or without a byte order mark. A first line that names the
// fields ("name, title") is a header; without one the first column is the name and the
// second the title. If a line is invalid, nothing is imported, and the error has its
// number.
func ParseCSV(data []byte) ([]Item, error) {
	if len(data) > maxCSV {
		return nil, invalidText("the file is larger than %d kB", maxCSV>>10)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = separator(data), -1, true
	columns := []string{"name", "title"}
	var items []Item
	for first := true; ; first = false {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return nil, invalidText("%v", err)
		}
		if head := heading(record); first && head != nil {
			columns = head
			continue
		}
		it := Item{Template: Templates()[0].ID, Text: map[string]string{}}
		for i, value := range record {
			if value = strings.TrimSpace(value); i < len(columns) && columns[i] != "" && value != "" {
				it.Text[columns[i]] = value
			}
		}
		if len(it.Text) == 0 {
			continue
		}
		line, _ := r.FieldPos(0)
		if err := validate(it.Template, it.Text); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if items = append(items, it); len(items) > MaxItems {
			return nil, fmt.Errorf("line %d: %w: at most %d", line, ErrFull, MaxItems)
		}
	}
}

func separator(data []byte) rune {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	for _, sep := range []rune{'\t', ';'} {
		if bytes.ContainsRune(line, sep) {
			return sep
		}
	}
	return ','
}

// heading is the field that each column names, or nil when the line is not a header.
func heading(record []string) []string {
	columns := make([]string, len(record))
	found := false
	for i, cell := range record {
		switch strings.ToLower(strings.TrimSpace(cell)) {
		case "name", "speaker":
			columns[i], found = "name", true
		case "title", "role", "function":
			columns[i] = "title"
		case LogoField:
			columns[i] = LogoField
		}
	}
	if !found {
		return nil
	}
	return columns
}
