package authsome_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"
)

// dialect lists the words and phrases that this project does not use, with what
// to write instead. A reader should not have to translate.
var dialect = []struct{ pattern, instead string }{
	{`whoever`, "who, anyone who, the caller"},
	{`anew`, "again"},
	{`mend(s|ed|ing)?`, "fix, repair"},
	{`besides`, "also, in addition"},
	{`behind it`, "after it, below it"},
	{`be it`, "whether, even if"},
	{`of (its|their) own`, "its own, separate"},
	{`(is|are) none`, "say what it is not: is not a …, there is no …"},
	{`(is|are) no [a-z-]+`, "is not a …, is not …"},
	{`thereof`, "of it"},
	{`unopened`, "passed through"},
	{`(take|takes|took|taken|taking) over`, "import, store, replace"},
	{`wherewith`, "with which"},
	{`heed(s|ed|ing)?`, "follow, respect"},
	{`tells? whose`, "says who owns"},
	{`agreed`, "approved"},
	{`cannot be (meant|told)`, "is invalid, is unknown"},
	{`for ever`, "forever, without limit"},
	{`goes? before`, "takes precedence over, overrides"},
	{`(is|are) to be had`, "is available"},
	{`nobody's`, "unused, unowned"},
	{`likewise`, "also, in the same way"},
	{`in clear`, "in plain text"},
	{`is there already`, "already exists"},
	{`what is there`, "what exists"},
	{`know(s)? (nothing|no) of`, "does not know"},
	{`stands? (in|for|on|at|behind|before|beside)`, "is in, means, is at"},
	{`has to do with`, "concerns"},
	{`shall`, "must, will"},
	{`whence`, "from which"},
	{`hitherto`, "until now"},
	{`lest`, "so that … not"},
}

// allowed are real uses of words on the list: the line that has one contains the
// text. It is short, and each entry says why.
var allowed = []struct{ file, text string }{
	{"english_test.go", ""}, // the list itself
}

// checkedSuffixes are the files that people read.
var checkedSuffixes = []string{".go", ".md", ".html", ".txtar", ".cjs", ".json", ".sh", ".yml", ".yaml", "Dockerfile", "run", "install"}

var (
	commentStart = regexp.MustCompile(`^\s*(//|#|\*|<!--|--)?\s*`)
	camelCase    = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	dialectWords = func() *regexp.Regexp {
		var all []string
		for _, d := range dialect {
			all = append(all, d.pattern)
		}
		return regexp.MustCompile(`(?i)\b(?:` + strings.Join(all, "|") + `)\b`)
	}()
	// noLonger and the like are not the dialect's inversion "X is no Y".
	notDialect = regexp.MustCompile(`(?i)^(is|are) no (longer|more|less|later|earlier|other|such|different|better|worse)$`)
	thereIsNo  = regexp.MustCompile(`(?i)\bthere (is|are) no(ne)?( [a-z-]+)?$`)
)

func TestPlainEnglish(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (d.Name() == ".git" || d.Name() == "node_modules" || d.Name() == "fuzz") {
			return filepath.SkipDir
		}
		named := func(suffix string) bool { return strings.HasSuffix(path, suffix) }
		if d.IsDir() || !slices.ContainsFunc(checkedSuffixes, named) || strings.HasSuffix(path, "package-lock.json") {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil || !utf8.Valid(text) {
			return err
		}
		checkEnglish(t, filepath.ToSlash(path), string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 500 {
		t.Fatalf("checked only %d files", files)
	}
}

// checkEnglish joins the lines of a file, so that a phrase is found across the line
// breaks of a comment, and reports each use of the dialect with its line.
func checkEnglish(t *testing.T, path, text string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	var joined strings.Builder
	starts := make([]int, len(lines))
	for i, line := range lines {
		starts[i] = joined.Len()
		line = commentStart.ReplaceAllString(line, "")
		joined.WriteString(camelCase.ReplaceAllString(line, "$1 $2") + " ")
	}
	for _, at := range dialectWords.FindAllStringIndex(joined.String(), -1) {
		before, found := joined.String()[:at[0]], joined.String()[at[0]:at[1]]
		n := sort.SearchInts(starts, at[0]+1) - 1
		if notDialect.MatchString(found) || thereIsNo.MatchString(before+found) || isAllowed(path, lines[n]) {
			continue
		}
		t.Errorf("%s:%d: %q; write: %s", path, n+1, found, insteadOf(found))
	}
}

func isAllowed(path, line string) bool {
	for _, a := range allowed {
		if a.file == path && strings.Contains(line, a.text) {
			return true
		}
	}
	return false
}

func insteadOf(found string) string {
	for _, d := range dialect {
		if regexp.MustCompile(`(?i)^(?:` + d.pattern + `)$`).MatchString(found) {
			return d.instead
		}
	}
	return "something plainer"
}
