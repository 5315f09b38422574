package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/internal/pythonhome/hometest"
)

// pythonhome DIR FILE: creates a home of a Python authsome 0.2. FILE has a line for each
// record: profile, key and JSON, with spaces between them. A record whose JSON is
// "broken" cannot be decrypted. Without FILE, it is a copy of the home of that name below
// testdata/pythonhomes.
func makePythonHome(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: pythonhome DIR [FILE]")
	}
	dir := ts.MkAbs(args[0])
	if len(args) == 1 {
		ts.Check(os.CopyFS(dir, os.DirFS(filepath.Join(pythonHomes, args[0]))))
		ts.Check(hometest.SetModes(dir))
		return
	}
	var h hometest.Home
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		profile, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, broken := strings.CutSuffix(rest, " broken")
		r := hometest.Record{Profile: profile, Key: key, Value: "{}", Broken: broken}
		if at := strings.Index(rest, " {"); at >= 0 {
			r.Key, r.Value = rest[:at], rest[at+1:]
		}
		h.Records = append(h.Records, r)
	}
	ts.Check(h.Write(dir))
}

// pythonHomes is absolute: scripts run in another directory.
var pythonHomes = func() string {
	dir, err := filepath.Abs("testdata/pythonhomes")
	if err != nil {
		panic(err)
	}
	return dir
}()

// The committed homes are those that their program writes.
func TestPythonHomesAreCurrent(t *testing.T) {
	for name, h := range hometest.Fixtures {
		dir := filepath.Join(t.TempDir(), name)
		if err := h.Write(dir); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(pythonContents(t, dir), pythonContents(t, filepath.Join(pythonHomes, name))); diff != "" {
			t.Errorf("%s; see %s/README.md (-now +committed):\n%s", name, pythonHomes, diff)
		}
	}
}

// pythonContents returns the files of a home with their content. That of a store are its
// records: the files depend on the version of SQLite.
func pythonContents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		path := filepath.Join(dir, name)
		if filepath.Base(name) != "store.db" {
			text, err := os.ReadFile(path)
			all[name] = string(text)
			return err
		}
		records, err := pythonhome.Records(path, func(sealed string) ([]byte, error) { return fmt.Appendf(nil, "{%q:0}", sealed), nil })
		for _, r := range records {
			all[name] += fmt.Sprintln(r.Profile, r.Provider, r.Kind, r.Name, r.Value.Reveal())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// unchanged DIR [remember]: with remember, it saves what the directory contains.
// Without, it checks that the content, the modes and the times are still the same.
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	var now strings.Builder
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		now.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			now.Write(b)
			return err
		}
		return nil
	}))
	note := dir + ".note"
	if len(args) > 1 {
		ts.Check(os.WriteFile(note, []byte(now.String()), 0o600))
		return
	}
	if (ts.ReadFile(note) == now.String()) == neg {
		ts.Fatalf("%s: changed %v", dir, !neg)
	}
}

// backup FILE WANT [N]: the home has a backup of FILE, or the Nth one, with the content of
// WANT, which only the user can read.
func dotenvBackup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: backup FILE WANT [N]")
	}
	name := strings.ReplaceAll(ts.MkAbs(args[0]), "/", "%")
	if len(args) > 2 {
		name += "." + args[2]
	}
	path := filepath.Join(ts.Getenv("AUTHSOME_HOME"), "backups", name)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		ts.Fatalf("%v, %v", info, err)
	}
	if ts.ReadFile(path) != ts.ReadFile(args[1]) {
		ts.Fatalf("%s differs from %s", path, args[1])
	}
}
