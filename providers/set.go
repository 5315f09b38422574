package providers

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/authsome/authsome/internal/regular"

	"github.com/authsome/authsome/internal/durable"
)

//go:embed bundled/*.json
var bundled embed.FS

// Set has the definitions of a home: the bundled ones, some replaced by the user's
// files of the same name. A bundled definition is decoded at its first use, and not
// validated, because the tests do that. A Set is safe for concurrent use.
type Set struct {
	byName map[string]func() (*Definition, error)
	custom map[string]bool

	// Problems lists the user's files that were not loaded.
	Problems []Problem
	// Disabled lists the parts of the user's files that have no effect, because a new
	// definition with them is refused.
	Disabled []Problem
}

// Problem is a file that is not a valid definition, or a part of one.
type Problem struct {
	Path string
	Err  error
	Part bool // the rest of the file is used
}

func (p Problem) String() string {
	if p.Part {
		return fmt.Sprintf("%s: %v", p.Path, p.Err)
	}
	return fmt.Sprintf("ignored %s: %v", p.Path, p.Err)
}

// NotFoundError reports that a definition does not exist, or that the user's file cannot
// be used.
type NotFoundError struct {
	Name     string
	Near     string   // the name of a definition that may be meant, or empty
	Category string   // the category that Name describes, if Near is empty, or empty
	File     *Problem // the user's file, or nil
}

func (e *NotFoundError) Error() string {
	if e.File != nil {
		return fmt.Sprintf("provider %s is not available: %s: %v", e.Name, e.File.Path, e.File.Err)
	}
	return fmt.Sprintf("no provider %q", e.Name)
}

// Load lists the bundled definitions and reads those in dir, which may be missing. If dir
// is empty, there are only the bundled ones.
func Load(dir string) (*Set, error) {
	s := &Set{byName: make(map[string]func() (*Definition, error)), custom: make(map[string]bool)}
	entries, err := bundled.ReadDir("bundled")
	if err != nil {
		return nil, fmt.Errorf("list bundled definitions: %w", err)
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".json")
		s.byName[name] = sync.OnceValues(func() (*Definition, error) { return readBundled(name) })
	}
	if dir == "" {
		return s, nil
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	commented, err := filepath.Glob(filepath.Join(dir, "*.jsonc"))
	if err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	for _, path := range commented {
		s.Problems = append(s.Problems, Problem{Path: path, Err: &FieldError{Reason: "its name does not end in .json", Hint: "rename it to " + strings.TrimSuffix(filepath.Base(path), "c")}})
	}
	for _, path := range files {
		d, err := readFile(path)
		if err != nil {
			s.Problems = append(s.Problems, Problem{Path: path, Err: err})
			continue
		}
		for _, dropped := range d.dropped {
			s.Disabled = append(s.Disabled, Problem{path, dropped, true})
		}
		s.byName[d.Name] = func() (*Definition, error) { return d, nil }
		s.custom[d.Name] = true
	}
	return s, nil
}

func readBundled(name string) (*Definition, error) {
	data, err := bundled.ReadFile("bundled/" + name + ".json")
	if err != nil {
		return nil, err
	}
	d, err := decodeChecked(data, bundledFile)
	if err != nil {
		return nil, fmt.Errorf("bundled definition %s: %w", name, err)
	}
	d.Source = Bundled
	return d, nil
}

func readFile(path string) (*Definition, error) {
	data, err := regular.Read(path, maxDefinition)
	if err != nil {
		return nil, err
	}
	d, err := parseFrom(data, homeFile)
	if err != nil {
		return nil, err
	}
	if d.Name+".json" != filepath.Base(path) {
		return nil, &FieldError{"name", fmt.Sprintf("%q is not the name of the file", d.Name), "rename the file to " + d.Name + ".json"}
	}
	d.ownedByUser()
	return d, nil
}

// ownedByUser marks a definition as a custom one.
func (d *Definition) ownedByUser() {
	d.Source = Custom
	d.known = sync.OnceValue(func() []*Definition { return bundledOn(d) })
}

// Lookup returns the definition with the name, exactly as it is stored; see
// [Set.Resolve]. If it does not exist, the error is a [*NotFoundError].
func (s *Set) Lookup(name string) (*Definition, error) {
	if read := s.byName[name]; read != nil {
		return read()
	}
	if files := s.ProblemsOf(name); len(files) > 0 {
		return nil, &NotFoundError{Name: name, File: &files[0]}
	}
	return nil, s.notFound(name)
}

// ProblemsOf returns the problems of the user's file for a provider, of both kinds.
func (s *Set) ProblemsOf(name string) []Problem {
	var own []Problem
	for _, p := range slices.Concat(s.Problems, s.Disabled) {
		if base := filepath.Base(p.Path); base == name+".json" || base == name+".jsonc" {
			own = append(own, p)
		}
	}
	return own
}

// ReplacesBundled reports whether the definition with the name is a custom one that
// replaces a bundled one.
func (s *Set) ReplacesBundled(name string) bool {
	_, err := fs.Stat(bundled, "bundled/"+name+".json")
	return s.custom[name] && err == nil
}

// All returns the definitions, sorted by name. It reads every file, so use Lookup for
// a single one.
func (s *Set) All() []*Definition {
	all := make([]*Definition, 0, len(s.byName))
	for _, read := range s.byName {
		if d, err := read(); err == nil { // the tests check that every bundled file can be decoded
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *Definition) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// WithVariable returns the definitions that have an environment variable which is set,
// sorted by name. Files that mention no such variable are not decoded.
func (s *Set) WithVariable(isSet func(variable string) bool) []*Definition {
	var found []*Definition
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		if text, err := bundled.ReadFile("bundled/" + name + ".json"); err == nil && !s.custom[name] && !mentions(text, isSet) {
			continue
		}
		d, err := s.byName[name]()
		if err == nil && slices.ContainsFunc(d.Env, func(e Env) bool { return isSet(e.Name) }) {
			found = append(found, d)
		}
	}
	return found
}

// mentions reports whether a quoted string in a file is the name of a variable that
// is set.
func mentions(file []byte, isSet func(string) bool) bool {
	for {
		open := bytes.IndexByte(file, '"')
		if open < 0 {
			return false
		}
		file = file[open+1:]
		end := bytes.IndexByte(file, '"')
		if end < 0 {
			return false
		}
		if word := file[:end]; len(word) > 0 && len(word) < 64 && !bytes.ContainsAny(word, " {") && isSet(string(word)) {
			return true
		}
		file = file[end+1:]
	}
}

// ErrInstalled means that a definition with the name already exists.
var ErrInstalled = errors.New("already registered")

// Install validates a definition and writes it to dir. Without force it does not
// replace an existing file, and returns [ErrInstalled].
func Install(dir string, data []byte, force bool) (*Definition, error) {
	d, err := Parse(data)
	if err != nil {
		return nil, err
	}
	return d, d.Install(dir, force)
}

// Install writes the definition to dir, as [Install] does. The file is the one that was
// parsed, without comments.
func (d *Definition) Install(dir string, force bool) error {
	path := filepath.Join(dir, d.Name+".json")
	if _, err := os.Lstat(path); err == nil && !force {
		return fmt.Errorf("%s: %w", d.Name, ErrInstalled)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("install %s: %w", d.Name, err)
	}
	if err := durable.Replace(path, d.text, 0o600); err != nil {
		return fmt.Errorf("install %s: %w", d.Name, err)
	}
	d.Source = Custom
	return nil
}

// Uninstall removes a user's definition. It is not an error if the file does not exist.
func Uninstall(dir, name string) error {
	if err := validateName1(name); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, name+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("uninstall %s: %w", name, err)
	}
	return nil
}
