package obvan_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// termsFile lists the field's terms, and in its third column the words that are not
// used for the same thing.
const termsFile = "docs/terms.md"

// specification is what codec specifications and broadcasting call by a word that is
// not used otherwise.
var specification = regexp.MustCompile(`(?i)picture[- ](parameter|in[- ]picture|order count|timing)|(leading|IDR|B|coded)[- ]pictures?|GOP \(group of pictures\)`)

// forbidden are the words of the third column.
func forbidden(t *testing.T) *regexp.Regexp {
	t.Helper()
	text, err := os.ReadFile(termsFile)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for line := range strings.Lines(string(text)) {
		columns := strings.Split(line, "|")
		if len(columns) != 5 {
			continue
		}
		for i, word := range strings.Split(columns[3], "`") {
			if i%2 == 1 {
				words = append(words, strings.ReplaceAll(regexp.QuoteMeta(word), " ", `\s+`))
			}
		}
	}
	if len(words) < 20 {
		t.Fatalf("%s forbids %d words: is its table still read?", termsFile, len(words))
	}
	return regexp.MustCompile(`(?i)\b(` + strings.Join(words, "|") + `)\b`)
}

// oldWords is where text says a forbidden word.
func oldWords(not *regexp.Regexp, text string) []string {
	return not.FindAllString(specification.ReplaceAllString(text, ""), -1)
}

// goStrings are the string literals of a Go file, by line, without import paths and
// struct tags, which are checked by their own names in the protocol's docs.
func goStrings(name string) (map[int]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	texts := map[int]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			n.Tag = nil
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				if text, err := strconv.Unquote(n.Value); err == nil {
					texts[set.Position(n.Pos()).Line] += text + "\n"
				}
			}
		}
		return true
	})
	return texts, nil
}

var (
	comments = regexp.MustCompile(`(?s)/\*.*?\*/|<!--.*?-->|(?m:^[ \t]*//[^\n]*$|\s// [^\n]*$)`)
	styles   = regexp.MustCompile(`(?s)<style.*?</style>`)
)

// pageText is what a page's source may show: all of it but comments and styles, line
// by line.
func pageText(name string) (map[int]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	blank := func(s []byte) []byte { return bytes.Repeat([]byte("\n"), bytes.Count(s, []byte("\n"))) }
	for _, hidden := range []*regexp.Regexp{styles, comments} {
		text = hidden.ReplaceAllFunc(text, blank)
	}
	texts := map[int]string{}
	for i, line := range strings.Split(string(text), "\n") {
		texts[i+1] = line
	}
	return texts, nil
}

// visible are the texts of a file that a user may see, by line; nil for a file that
// has none. The terms and the list of changes name old words on purpose.
func visible(name string) (map[int]string, error) {
	switch {
	case name == termsFile || name == "CHANGELOG.md" || strings.Contains(name, "testdata/"):
		return nil, nil
	case strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".test.ts") || strings.HasPrefix(name, "web/dev/"):
		return nil, nil
	}
	switch path.Ext(name) {
	case ".go":
		return goStrings(name)
	case ".svelte", ".ts", ".html", ".md", ".yml":
		return pageText(name)
	}
	return nil, nil
}

func TestUsersReadOnlyTheFieldsTerms(t *testing.T) {
	not, seen := forbidden(t), 0
	for _, name := range tracked(t) {
		texts, err := visible(name)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		seen += len(texts)
		for line, text := range texts {
			for _, word := range oldWords(not, text) {
				t.Errorf("%s:%d says %q; %s has the term", name, line, word, termsFile)
			}
		}
	}
	if seen < 5000 {
		t.Errorf("only %d lines with text were found", seen)
	}
}

func TestAnOldWordIsFoundWhereverItIsPutBack(t *testing.T) {
	not, dir := forbidden(t), t.TempDir()
	for i, c := range []struct{ name, text, want string }{
		{"a.go", "package a\n\nvar s = \"the last picture\"\n", "picture"},
		{"b.go", "package a\n\n// the last picture\nvar s = `a key\nframe`\n", "key frame"},
		{"c.go", "package a\n\nimport _ \"obvan/sound\"\n\ntype s struct {\n\tA int `json:\"rung\"`\n}\n", ""},
		{"d.svelte", "<p>HELD PICTURE</p>\n<style>.rung { color: red }</style>\n", "HELD PICTURE"},
		{"e.ts", "// a rung\nconst s = 'The far end';\n", "far end"},
		{"f.md", "The picture parameter set of a coding.\n", "coding"},
	} {
		name := fmt.Sprintf("%s/%d%s", dir, i, c.name)
		if err := os.WriteFile(name, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		texts, err := visible(name)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, text := range texts {
			for _, word := range oldWords(not, text) {
				found = append(found, strings.Join(strings.Fields(word), " "))
			}
		}
		if got := strings.Join(found, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
