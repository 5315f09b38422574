package takeover

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/regular"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/providers"
)

// maxDotenv is the maximum size in bytes. Files that people write are much smaller.
const maxDotenv = 1 << 20

// dotenvFile is a .env file, and what was done with it.
type dotenvFile struct {
	path         string // with symbolic links resolved, so that they are not replaced
	info         os.FileInfo
	text         string // as it was read
	assignments  []assignment
	skipped      []skippedLine
	replacements []replacement
	backup       string // set after the placeholders were written
	linesLeft    []int  // lines that still contain keys
}

// replacement is a value with the placeholder that replaces it.
type replacement struct {
	assignment
	placeholder string
}

// readDotenv reads and parses a .env file.
func readDotenv(path string) (*dotenvFile, error) {
	f := &dotenvFile{}
	var err error
	if f.path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, exit.Usagef("--dotenv: %v", err)
	}
	if f.info, err = os.Stat(f.path); err != nil {
		return nil, exit.Usagef("--dotenv: %v", err)
	}
	data, err := regular.Read(f.path, maxDotenv)
	if err != nil {
		return nil, exit.Usagef("--dotenv: %v", err)
	}
	if bytes.IndexByte(data, 0) >= 0 { // UTF-16, or not a text
		return nil, exit.WithAdvice(exit.Usagef("%s is not a text in UTF-8", path), "save it in UTF-8, then run the command again")
	}
	f.text = string(data)
	f.assignments, f.skipped = parseDotenv(f.text)
	return f, nil
}

// look returns the value of a variable in the file: the last one counts. See [lookup].
func (f *dotenvFile) look(name string) (value string, doubt error) {
	for _, a := range f.assignments {
		if a.name == name {
			value, doubt = a.value.Reveal(), a.doubt
		}
	}
	return value, doubt
}

// replaced returns the file's text with the placeholders.
func (f *dotenvFile) replaced() string {
	var b strings.Builder
	at := 0
	for _, r := range f.replacements {
		b.WriteString(f.text[at:r.start])
		b.WriteString(r.placeholder)
		at = r.end
	}
	b.WriteString(f.text[at:])
	return b.String()
}

// shortestKey is the length in bytes from which a key is searched for in all lines. A
// shorter text can be there by coincidence.
const shortestKey = 8

// keysLeft returns the lines of text that still contain keys: keys that are not in the
// vault, replaced keys in another place, such as a comment, and skipped lines that have
// the name of a variable with a key.
func (f *dotenvFile) keysLeft(text string, secrets map[string]bool) []int {
	all, skipped := parseDotenv(text)
	var lines []int
	for _, a := range all {
		if secrets[a.name] && !a.value.IsZero() && !providers.HasPlaceholder(a.value.Reveal()) {
			lines = append(lines, lineNumber(text, a.start))
		}
	}
	split := strings.Split(lineEnds.Replace(text), "\n")
	for _, s := range skipped {
		for name := range secrets {
			if secrets[name] && strings.Contains(split[s.number-1], name) {
				lines = append(lines, s.number)
				break
			}
		}
	}
	for n, line := range split {
		for _, r := range f.replacements {
			if key := r.value.Reveal(); len(key) >= shortestKey && strings.Contains(line, key) {
				lines = append(lines, n+1)
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// write replaces the file's text. Before that, save stores the old text and returns where
// it is. After an error, the file is unchanged. The name of the new file begins with the
// file's name, so that patterns that keep it out of git or an image match it too.
func (f *dotenvFile) write(text string, save func(path string, data []byte) (string, error)) error {
	file, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".authsome-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := f.fill(file, text, f.info.Mode().Perm()); err != nil {
		return err
	}
	now, err := regular.Read(f.path, maxDotenv)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, []byte(f.text)) {
		return errors.New("another program changed it at the same time")
	}
	backup, err := save(f.path, now)
	if err != nil {
		return err
	}
	if err := durable.Rename(file.Name(), f.path); err != nil {
		os.Remove(backup)
		return err
	}
	f.backup = backup
	return nil
}

// fill writes text to a new file with the owner of the .env file, and closes it.
func (f *dotenvFile) fill(file *os.File, text string, mode os.FileMode) error {
	_, err := file.WriteString(text)
	return errors.Join(err, keepOwner(file, f.info), file.Chmod(mode), file.Sync(), file.Close())
}

// variables lists the variables whose values have replacements.
func (f *dotenvFile) variables() []string {
	names := []string{}
	for _, r := range f.replacements {
		if !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
	}
	return names
}

func (f *dotenvFile) names() string { return strings.Join(f.variables(), ", ") }
