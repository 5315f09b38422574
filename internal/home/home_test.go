package home_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/authsome/authsome/internal/home"
)

// openInChild is a variable that makes the test binary open the home that it names
// and print the result, for tests with several processes and users.
const openInChild = "AUTHSOME_TEST_OPEN_HOME"

func TestMain(m *testing.M) {
	if dir := os.Getenv(openInChild); dir != "" {
		h, err := home.Open(dir)
		if err != nil {
			var access *home.AccessError
			fmt.Printf("access=%t %v\n", errors.As(err, &access), err)
			os.Exit(1)
		}
		fmt.Printf("opened %s %s\n", h.Dir, h.Config.DefaultProfile)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func mustOpen(tb testing.TB, dir string) *home.Home {
	tb.Helper()
	h, err := home.Open(dir)
	if err != nil {
		tb.Fatalf("Open(%s): %v", dir, err)
	}
	return h
}

func write(tb testing.TB, path, text string, mode fs.FileMode) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		tb.Fatal(err)
	}
}

// tree returns the mode and content of everything in dir, by path.
func tree(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	found := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var text []byte
		if !e.IsDir() {
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		name, _ := filepath.Rel(dir, path)
		found[name] = fmt.Sprintf("%v %s", info.Mode(), text)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

func TestOpenCreatesAHome(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "home")
	h := mustOpen(t, dir)
	got := tree(t, dir)
	metadata := got["profiles/default/metadata.json"]
	if !strings.HasPrefix(metadata, "-rw------- {") || !strings.Contains(metadata, `"name": "default"`) || !strings.Contains(metadata, `"created_at": "2`) {
		t.Errorf("metadata.json: %s", metadata)
	}
	delete(got, "profiles/default/metadata.json")
	want := map[string]string{
		".":       "drwx------ ",
		"version": "-rw------- 2\n",
		"config.json": "-rw------- {\n  \"spec_version\": 1,\n  \"default_profile\": \"default\",\n" +
			"  \"encryption\": {\n    \"mode\": \"local_key\"\n  }\n}\n",
		"logs":             "drwx------ ",
		"providers":        "drwx------ ",
		"profiles":         "drwx------ ",
		"profiles/default": "drwx------ ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layout (-want +got):\n%s", diff)
	}
	before := tree(t, dir)
	mustOpen(t, dir)
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("a second Open changed the home:\n%s", diff)
	}
	paths := map[string]string{
		h.AuditPath(): "audit.log", h.ProvidersDir(): "providers", h.LogPath(): "logs/authsome.log",
	}
	for path, name := range paths {
		if want := filepath.Join(dir, name); path != want {
			t.Errorf("path %s, want %s", path, want)
		}
	}
}

func TestOpenCompletesAnInterruptedHome(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	mustOpen(t, dir)
	complete := names(tree(t, dir))
	for _, name := range []string{"version", "config.json", "profiles", "logs", "providers", "profiles/default/metadata.json"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, dir)
		if diff := cmp.Diff(complete, names(tree(t, dir))); diff != "" {
			t.Errorf("without %s:\n%s", name, diff)
		}
	}
}

func names(tree map[string]string) []string { return slices.Sorted(maps.Keys(tree)) }

// The Python authsome creates its home with the modes of the umask, and an SQLite
// store in each profile.
func TestOpenDoesNotChangeAPythonHome(t *testing.T) {
	for _, version := range []string{"1\n", "2\n"} {
		dir := filepath.Join(t.TempDir(), "home")
		write(t, filepath.Join(dir, "version"), version, 0o644)
		write(t, filepath.Join(dir, "config.json"), `{"spec_version":1,"default_profile":"work","encryption":null,"telemetry":{"a":[1]}}`, 0o644)
		write(t, filepath.Join(dir, "master.key"), `{"version":1}`, 0o600)
		write(t, filepath.Join(dir, "profiles", "work", "metadata.json"), `{"name":"work"}`, 0o644)
		write(t, filepath.Join(dir, "profiles", "work", "store.db"), "SQLite format 3\x00", 0o644)
		write(t, filepath.Join(dir, "providers", "acme.json"), "{}", 0o644)
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		h := mustOpen(t, dir)
		after := tree(t, dir)
		delete(after, "logs")
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("Open changed a Python home:\n%s", diff)
		}
		if h.Config.DefaultProfile != "work" || h.Config.Encryption.Mode != "local_key" {
			t.Errorf("config = %+v", h.Config)
		}
		if _, err := h.Profile("work"); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefusesAHomeThatOthersCanAccess(t *testing.T) {
	for _, mode := range []fs.FileMode{0o701, 0o710, 0o755, 0o707, 0o777} {
		dir := filepath.Join(t.TempDir(), "home")
		write(t, filepath.Join(dir, "version"), "2\n", 0o600)
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := home.Open(dir)
		access, ok := errors.AsType[*home.AccessError](err)
		if !ok || access.Path != dir || !slices.Equal(access.Remedy, []string{"chmod", "700", dir}) || !strings.Contains(err.Error(), fmt.Sprintf("%04o", mode)) {
			t.Errorf("mode %v: error %v", mode, err)
		}
	}
	empty := filepath.Join(t.TempDir(), "home")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, empty)
	if got := tree(t, empty)["."]; got != "drwx------ " {
		t.Errorf("an empty directory that became a home has mode %s", got)
	}
}

func TestOpenChecksTheVersion(t *testing.T) {
	for text, wantNewer := range map[string]bool{"3\n": true, "400": true, "": false, "two": false, "0": false, "-1": false, "2 3": false} {
		dir := filepath.Join(t.TempDir(), "home")
		mustOpen(t, dir)
		path := filepath.Join(dir, "version")
		write(t, path, text, 0o600)
		_, err := home.Open(dir)
		if err == nil || errors.Is(err, home.ErrNewer) != wantNewer || !strings.Contains(err.Error(), path) {
			t.Errorf("version %q: error %v, newer wanted %t", text, err, wantNewer)
		}
	}
}

func TestDefaultDir(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want string // "" means an error
	}{
		{map[string]string{"AUTHSOME_HOME": "/data/a", "HOME": "/home/u"}, "/data/a"},
		{map[string]string{"AUTHSOME_HOME": "/data/../data/a/"}, "/data/a"},
		{map[string]string{"HOME": "/home/u"}, "/home/u/.authsome"},
		{map[string]string{"HOME": "u"}, ""},
		{nil, ""},
	} {
		got, err := home.DefaultDir(func(name string) string { return test.env[name] })
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%v: %q, %v; want %q", test.env, got, err, test.want)
		}
	}
}

func TestProcessesCreateAHomeConcurrently(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), openInChild+"="+dir)
			out, err := cmd.CombinedOutput()
			if want := "opened " + dir + " default\n"; err != nil || string(out) != want {
				t.Errorf("a process got %v, %q", err, out)
			}
		})
	}
	wg.Wait()
	if got := len(tree(t, dir)); got != 8 {
		t.Errorf("%d entries, want 8: %v", got, tree(t, dir))
	}
}
