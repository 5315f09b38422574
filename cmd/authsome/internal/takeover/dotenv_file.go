package takeover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// maxDotenv, in bytes, is far more than people write by hand.
const maxDotenv = 1 << 20

// dotenvFile is a .env file, and what was done with it.
type dotenvFile struct {
	path   string // with symbolic links resolved, which therefore stay
	info   os.FileInfo
	text   string // as it was read
	all    []assignment
	swaps  []swap
	backup string // set when the placeholders are in the file
	left   []int  // lines that still have keys
}

// swap is a value with the placeholder that replaces it.
type swap struct {
	assignment
	placeholder string
}

func readDotenv(path string) (*dotenvFile, error) {
	f := &dotenvFile{}
	var err error
	if f.path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, exit.Usagef("--dotenv: %v", err)
	}
	if f.info, err = os.Stat(f.path); err != nil {
		return nil, exit.Usagef("--dotenv: %v", err)
	}
	if !f.info.Mode().IsRegular() || f.info.Size() > maxDotenv {
		return nil, exit.Usagef("--dotenv %s: not a regular file of at most %d KiB", path, maxDotenv>>10)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, exit.Usagef("--dotenv: %v", err)
	}
	f.text = string(data)
	if f.all, err = parseDotenv(f.text); err != nil {
		return nil, exit.WithCommand(fmt.Errorf("%s: %w", path, err), "import --dotenv %s", path)
	}
	return f, nil
}

// look gives the value that programs see: the last assignment of a variable.
func (f *dotenvFile) look(name string) (value string, doubt error) {
	for _, s := range f.all {
		if s.name == name {
			value, doubt = s.value.Reveal(), s.doubt
		}
	}
	return value, doubt
}

// offerPlaceholders replaces keys in the file by placeholders, if the user wants that.
func (m *Importer) offerPlaceholders(ctx context.Context, f *dotenvFile, o Options, items []item) error {
	if err := m.match(ctx, f, items); err != nil {
		return err
	}
	switch {
	case len(f.swaps) == 0:
		if o.Placeholders {
			m.Console.Infof("left %s unchanged: none of its keys is in the vault", f.path)
		}
		return nil
	case o.DryRun, !o.Placeholders && (o.Yes || m.Console.Terminal() == nil):
		return nil
	case !o.Placeholders:
		err := m.Console.Confirm(ctx, fmt.Sprintf("Replace %s in %s by placeholders, and keep a backup?", f.names(), f.path), "--placeholders")
		if errors.Is(err, terminal.ErrDeclined) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	secrets, err := m.secretVariables()
	if err != nil {
		return err
	}
	text := f.replaced()
	if f.left, err = f.keysLeft(text, secrets); err != nil {
		return err
	}
	if err := f.write(text); err != nil {
		// Not %w: an error of the user's file says nothing about the vault.
		return exit.WithCommand(fmt.Errorf("the keys are in the vault, but %s could not be changed: %v", f.path, err), "import --dotenv %s --placeholders", f.path)
	}
	return nil
}

// match finds the values that the vault has, or would have after a dry run. A value
// that is nowhere else must stay in the file.
func (m *Importer) match(ctx context.Context, f *dotenvFile, items []item) error {
	set, err := m.Opener.Providers()
	if err != nil {
		return err
	}
	p, err := m.Opener.Profile()
	if err != nil {
		return err
	}
	credentials, err := p.Auth()
	if err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	done := make(map[int]bool)
	for _, i := range items {
		if i.kind != "connection" || i.profile != credentials.Profile || i.result == resultRefused {
			continue
		}
		c := i.connects
		if i.result != resultNew {
			if c, err = credentials.Connection(ctx, i.provider, i.connection); err != nil {
				return err
			}
		}
		d, err := set.Lookup(i.provider)
		if err != nil {
			continue // another source registers it
		}
		values := c.Values()
		placeholders := d.Environment(values)
		for _, v := range d.Variables() {
			text, err := d.Expand("env", v.Value, values)
			// A placeholder must read the same in any quotes, or none.
			if err != nil || !v.Secret || !IsPlainValue(placeholders[v.Name]) {
				continue
			}
			for _, s := range f.all {
				if s.name == v.Name && s.doubt == nil && s.value.Equal(secret.New(text)) && !done[s.start] {
					done[s.start] = true
					f.swaps = append(f.swaps, swap{s, placeholders[v.Name]})
				}
			}
		}
	}
	slices.SortFunc(f.swaps, func(x, y swap) int { return x.start - y.start })
	return nil
}

func (f *dotenvFile) replaced() string {
	var b strings.Builder
	at := 0
	for _, s := range f.swaps {
		b.WriteString(f.text[at:s.start])
		b.WriteString(s.placeholder)
		at = s.end
	}
	b.WriteString(f.text[at:])
	return b.String()
}

// shortestKey is the length from which the same text elsewhere is not a coincidence.
const shortestKey = 8

// keysLeft are the lines with keys that are not in the vault, or where no program
// reads them, such as a comment.
func (f *dotenvFile) keysLeft(text string, secrets map[string]bool) ([]int, error) {
	all, err := parseDotenv(text)
	if err != nil {
		return nil, fmt.Errorf("%s with placeholders: %w", f.path, err)
	}
	var lines []int
	for _, s := range all {
		if secrets[s.name] && !s.value.IsZero() && !providers.HasPlaceholder(s.value.Reveal()) {
			lines = append(lines, lineNumber(text, s.start))
		}
	}
	for n, line := range strings.Split(lineEnds.Replace(text), "\n") {
		for _, s := range f.swaps {
			if key := s.value.Reveal(); len(key) >= shortestKey && strings.Contains(line, key) {
				lines = append(lines, n+1)
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}

// secretVariables are the variables from which any provider's clients read a secret.
func (m *Importer) secretVariables() (map[string]bool, error) {
	set, err := m.Opener.Providers()
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, d := range set.All() {
		for _, v := range d.Variables() {
			names[v.Name] = names[v.Name] || v.Secret
		}
	}
	return names, nil
}

// write replaces the file's text and keeps the old one in a backup; after an error
// neither has happened. The names begin with the file's name, so that patterns that
// keep it out of git or an image also match them.
func (f *dotenvFile) write(text string) error {
	file, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".authsome-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := f.fill(file, text, f.info.Mode().Perm()); err != nil {
		return err
	}
	now, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, []byte(f.text)) {
		return errors.New("another program changed it at the same time")
	}
	backup, err := f.writeBackup()
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

// writeBackup uses the first free name.
func (f *dotenvFile) writeBackup() (string, error) {
	name := f.path + ".authsome-backup"
	for n := 2; ; n++ {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			name = fmt.Sprintf("%s.authsome-backup.%d", f.path, n)
			continue
		}
		if err != nil {
			return "", err
		}
		if err := f.fill(file, f.text, 0o600); err != nil {
			os.Remove(name)
			return "", err
		}
		return name, nil
	}
}

// fill writes and closes a new file with the owner of the .env file.
func (f *dotenvFile) fill(file *os.File, text string, mode os.FileMode) error {
	_, err := file.WriteString(text)
	return errors.Join(err, keepOwner(file, f.info), file.Chmod(mode), file.Sync(), file.Close())
}

func (f *dotenvFile) variables() []string {
	names := []string{}
	for _, s := range f.swaps {
		if !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

func (f *dotenvFile) names() string { return strings.Join(f.variables(), ", ") }

type dotenvView struct {
	File        string   `json:"file"`
	Replaceable []string `json:"replaceable,omitempty"`
	Replaced    []string `json:"replaced,omitempty"`
	Backup      string   `json:"backup,omitempty"`
	LinesLeft   []int    `json:"lines_left,omitempty"`
}

func (f *dotenvFile) view() *dotenvView {
	switch {
	case f == nil:
		return nil
	case f.backup == "":
		return &dotenvView{File: f.path, Replaceable: f.variables()}
	}
	return &dotenvView{File: f.path, Replaced: f.variables(), Backup: f.backup, LinesLeft: f.left}
}

// report says what was done with the file.
func (f *dotenvFile) report(c *console.Console) {
	switch {
	case f == nil || len(f.swaps) == 0:
	case f.backup == "":
		c.Infof("%s still has keys: --placeholders replaces %s by placeholders and keeps a backup", f.path, f.names())
	default:
		c.Infof("replaced %s in %s by placeholders; the backup %s still has the keys: keep it out of git, and delete it once everything works", f.names(), f.path, f.backup)
		if len(f.left) > 0 {
			c.Warnf("%s still has keys in %s", f.path, linesText(f.left))
		}
	}
}

func linesText(lines []int) string {
	numbers := strings.Trim(strings.ReplaceAll(fmt.Sprint(lines), " ", ", "), "[]")
	if len(lines) == 1 {
		return "line " + numbers
	}
	return "lines " + numbers
}
