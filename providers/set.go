package providers

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2/maybe"
)

//go:embed bundled/*.json
var bundled embed.FS

// Set is the definitions of a home: the bundled ones, overridden by the user's
// files of the same name.
type Set struct {
	byName map[string]*Definition

	// Problems are the user's files that could not be used. The rest is there.
	Problems []Problem
}

// Problem is a file that is no definition.
type Problem struct {
	Path string
	Err  error
}

// NotFoundError says that no definition has a name. Near is a name that may have
// been meant, or empty.
type NotFoundError struct{ Name, Near string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("no provider %q", e.Name) }

// Load reads the bundled definitions and those in dir, which need not exist.
func Load(dir string) (*Set, error) {
	s := &Set{byName: make(map[string]*Definition)}
	if err := s.loadBundled(); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list definitions: %w", err)
	}
	for _, path := range files {
		d, err := readFile(path)
		if err != nil {
			s.Problems = append(s.Problems, Problem{path, err})
			continue
		}
		s.byName[d.Name] = d
	}
	return s, nil
}

func (s *Set) loadBundled() error {
	return fs.WalkDir(bundled, "bundled", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := bundled.ReadFile(path)
		if err != nil {
			return err
		}
		d, err := Parse(data)
		if err != nil {
			return fmt.Errorf("bundled definition %s: %w", path, err)
		}
		d.Source = Bundled
		s.byName[d.Name] = d
		return nil
	})
}

func readFile(path string) (*Definition, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d, err := Parse(data)
	if err != nil {
		return nil, err
	}
	if d.Name+".json" != filepath.Base(path) {
		return nil, &FieldError{"name", fmt.Sprintf("%q is not the file's name", d.Name), "rename the file to " + d.Name + ".json"}
	}
	d.Source = Custom
	return d, nil
}

// Lookup finds a definition by name, or fails with [*NotFoundError].
func (s *Set) Lookup(name string) (*Definition, error) {
	if d := s.byName[name]; d != nil {
		return d, nil
	}
	return nil, &NotFoundError{Name: name, Near: s.near(name)}
}

// All are the definitions by name.
func (s *Set) All() []*Definition {
	all := make([]*Definition, 0, len(s.byName))
	for _, d := range s.byName {
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b *Definition) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (s *Set) near(name string) string {
	all := make([]string, 0, len(s.byName))
	for known := range s.byName {
		all = append(all, known)
	}
	return nearest(strings.ToLower(name), all)
}

// nearest is the name with the fewest edits, if they are few.
func nearest(name string, all []string) string {
	best, distance := "", 1+max(1, len(name)/3)
	slices.Sort(all)
	for _, known := range all {
		if n := edits(name, known); n < distance {
			best, distance = known, n
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// ErrInstalled says that a definition of that name is there already.
var ErrInstalled = errors.New("already registered")

// Install validates a definition and writes it to dir. Without force an existing
// file stays, with [ErrInstalled].
func Install(dir string, data []byte, force bool) (*Definition, error) {
	d, err := Parse(data)
	if err != nil {
		return nil, err
	}
	d.Source = Custom
	path := filepath.Join(dir, d.Name+".json")
	if _, err := os.Lstat(path); err == nil && !force {
		return nil, fmt.Errorf("%s: %w", d.Name, ErrInstalled)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("install %s: %w", d.Name, err)
	}
	if err := maybe.WriteFile(path, data, 0o600); err != nil {
		return nil, fmt.Errorf("install %s: %w", d.Name, err)
	}
	return d, nil
}

// Uninstall removes a user's definition. One that is not there is no error.
func Uninstall(dir, name string) error {
	if !validName.MatchString(name) {
		return &FieldError{"name", "not a name", ""}
	}
	if err := os.Remove(filepath.Join(dir, name+".json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("uninstall %s: %w", name, err)
	}
	return nil
}
