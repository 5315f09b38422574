package main

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

	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// maxDotenv is far more than anybody writes by hand.
const maxDotenv = 1 << 20

// dotenvFile is a .env file, and what becomes of it.
type dotenvFile struct {
	path   string // behind symbolic links: these stay
	info   os.FileInfo
	text   string // as it was read
	all    []assignment
	swaps  []swap
	backup string // set when the placeholders are in the file
	left   []int  // lines that have keys even so
}

// swap is a placeholder for a value.
type swap struct {
	assignment
	placeholder string
}

func readDotenv(path string) (*dotenvFile, error) {
	f := &dotenvFile{}
	var err error
	if f.path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, usageErrorf("--dotenv: %v", err)
	}
	if f.info, err = os.Stat(f.path); err != nil {
		return nil, usageErrorf("--dotenv: %v", err)
	}
	if !f.info.Mode().IsRegular() || f.info.Size() > maxDotenv {
		return nil, usageErrorf("--dotenv %s is no .env file", path)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return nil, usageErrorf("--dotenv: %v", err)
	}
	f.text = string(data)
	if f.all, err = parseDotenv(f.text); err != nil {
		return nil, withHint(fmt.Errorf("%s: %w", path, err), "authsome import --dotenv %s", path)
	}
	return f, nil
}

// look gives the value that programs see: of several, the last.
func (f *dotenvFile) look(name string) (value string, doubt error) {
	for _, s := range f.all {
		if s.name == name {
			value, doubt = s.value.Reveal(), s.doubt
		}
	}
	return value, doubt
}

// offerPlaceholders puts placeholders into the file, if the user wants that.
func (f *dotenvFile) offerPlaceholders(ctx context.Context, a *app, o *importOptions, items []importItem) error {
	if err := f.match(ctx, a, items); err != nil {
		return err
	}
	_, terminal := a.terminal()
	switch {
	case len(f.swaps) == 0:
		if o.placeholders {
			a.infof("%s is as it was: no key in it is one that the vault has", f.path)
		}
		return nil
	case o.dryRun, !o.placeholders && (o.yes || !terminal):
		return nil
	case !o.placeholders:
		err := a.confirm(ctx, fmt.Sprintf("Put placeholders for %s into %s, and keep a backup?", f.names(), f.path), "--placeholders")
		if errors.Is(err, errDeclined) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	secrets, err := secretVariables(a)
	if err != nil {
		return err
	}
	text := f.replaced()
	if f.left, err = f.keysLeft(text, secrets); err != nil {
		return err
	}
	if err := f.write(text); err != nil {
		// Not %w: the file is the user's, and says nothing about the vault.
		return withHint(fmt.Errorf("the keys are in the vault, and %s is as it was: %v", f.path, err), "authsome import --dotenv %s --placeholders", f.path)
	}
	return nil
}

// match finds the values that the vault has, or would have after a dry run: what
// is nowhere else must stay in the file.
func (f *dotenvFile) match(ctx context.Context, a *app, items []importItem) error {
	set, err := a.providers()
	if err != nil {
		return err
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	done := make(map[int]bool)
	for _, i := range items {
		if i.kind != "connection" || i.profile != credentials.Profile || i.result == importRefused {
			continue
		}
		c := i.made
		if i.result != importNew {
			if c, err = credentials.Connection(ctx, i.provider, i.connection); err != nil {
				return err
			}
		}
		d, err := set.Lookup(i.provider)
		if err != nil {
			continue // to be registered yet, by another source
		}
		values := c.Values()
		placeholders := d.Environment(values)
		for _, v := range d.Variables() {
			text, err := d.Expand("env", v.Value, values)
			// A placeholder must read the same in any quotes, or none.
			if err != nil || !v.Secret || !plainValue.MatchString(placeholders[v.Name]) {
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

// shortestKey is the length from which a text elsewhere is no accident.
const shortestKey = 8

// keysLeft are the lines with keys that are not in the vault, or stand where no
// program reads them.
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

// secretVariables are the variables that any provider's clients read a secret from.
func secretVariables(a *app) (map[string]bool, error) {
	set, err := a.providers()
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

// write puts the text in place of the file's, which goes into the backup; after
// an error neither has happened. The names begin with the file's, as what keeps
// it out of git or an image may then hold for them too.
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
		return errors.New("it was changed in the meantime")
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

// writeBackup takes the first name that is free.
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

// fill writes and closes a new file that belongs to whom the .env file does.
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

// tell says what became of the file.
func (f *dotenvFile) tell(a *app) {
	switch {
	case f == nil || len(f.swaps) == 0:
	case f.backup == "":
		a.infof("%s has keys in it: --placeholders puts placeholders for %s there, and keeps a backup", f.path, f.names())
	default:
		a.infof("%s has placeholders for %s now; %s still holds the keys: keep it out of git, and delete it once all works", f.path, f.names(), f.backup)
		if len(f.left) > 0 {
			a.warnf("%s still has keys in %s", f.path, linesText(f.left))
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
