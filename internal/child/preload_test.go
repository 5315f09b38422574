//go:build unix

package child

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// checkScript checks that path is a file with the script, for this user only.
func checkScript(t *testing.T, path string) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("%s: %v, %v", path, info, err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, nodeScript) {
		t.Errorf("%s: %d bytes, %v", path, len(b), err)
	}
}

// cached stores the script in cache and returns its path.
func cached(t *testing.T, cache string) string {
	t.Helper()
	f := writeFiles(t, t.TempDir())
	if err := f.UseCache(cache); err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(f.Node) != filepath.Join(cache, preloadDir) {
		t.Fatalf("the script is %s", f.Node)
	}
	checkScript(t, f.Node)
	return f.Node
}

// Whatever an earlier run's command left at the path of the script, the next run has
// the script there, and changes nothing elsewhere.
func TestChangedScriptIsReplaced(t *testing.T) {
	cache := t.TempDir()
	path := cached(t, cache)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for name, change := range map[string]func() error{
		"unchanged": func() error { return nil },
		"tampered":  func() error { return os.WriteFile(path, append([]byte("evil()\n"), nodeScript...), 0o600) },
		"same size": func() error { return os.WriteFile(path, bytes.Repeat([]byte(" "), len(nodeScript)), 0o600) },
		"empty":     func() error { return os.Truncate(path, 0) },
		"writable":  func() error { return os.Chmod(path, 0o666) },
		"missing":   func() error { return os.Remove(path) },
		"symlink": func() error {
			os.Remove(path)
			if err := os.WriteFile(elsewhere, nodeScript, 0o600); err != nil {
				return err
			}
			return os.Symlink(elsewhere, path)
		},
		"pipe": func() error { os.Remove(path); return syscall.Mkfifo(path, 0o600) },
	} {
		if err := change(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again := cached(t, cache); again != path {
			t.Errorf("%s: %s, not %s", name, again, path)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left in the directory: %v", left)
	}
}

func TestConcurrentRunsStoreTheScript(t *testing.T) {
	cache := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			f := Files{}
			if err := f.UseCache(cache); err != nil {
				t.Error(err)
				return
			}
			if b, err := os.ReadFile(f.Node); err != nil || !bytes.Equal(b, nodeScript) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
		})
	}
	all.Wait()
}

// A directory that another user could change is not used.
func TestUnsafeCacheIsNotUsed(t *testing.T) {
	for name, prepare := range map[string]func(cache string) error{
		"a file":                         func(cache string) error { return os.WriteFile(filepath.Join(cache, preloadDir), nil, 0o600) },
		"open to others":                 func(cache string) error { return os.Mkdir(filepath.Join(cache, preloadDir), 0o755) },
		"a parent that others can write": func(cache string) error { return os.Chmod(cache, 0o777) },
		"a symlink":                      func(cache string) error { return os.Symlink(t.TempDir(), filepath.Join(cache, preloadDir)) },
		"the home of another user": func(cache string) error {
			if os.Geteuid() != 0 {
				return os.Chmod(cache, 0o777)
			}
			return os.Chown(cache, 65534, 65534)
		},
	} {
		cache := t.TempDir()
		if err := prepare(cache); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadDir(cache)
		f := writeFiles(t, t.TempDir())
		own := f.Node
		if err := f.UseCache(cache); err == nil || f.Node != own {
			t.Errorf("%s: %v, the script is %s", name, err, f.Node)
		}
		if after, _ := os.ReadDir(cache); len(after) != len(before) {
			t.Errorf("%s: left %v", name, after)
		}
		checkScript(t, own)
	}
}

// A cache directory is created in a home, but a home is not.
func TestMissingCacheIsCreated(t *testing.T) {
	home := t.TempDir()
	cached(t, filepath.Join(home, ".cache"))
	missing := filepath.Join(home, "missing")
	if err := (&Files{}).UseCache(filepath.Join(missing, ".cache")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := os.Lstat(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the home was created: %v", err)
	}
}

func TestUnusedScriptsAreRemoved(t *testing.T) {
	cache := t.TempDir()
	current := cached(t, cache)
	dir := filepath.Dir(current)
	old := time.Now().Add(-preloadAge - time.Hour)
	for name, kept := range map[string]bool{"node-old.cjs": false, "node-123": false, "unrelated": true} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		young := filepath.Join(dir, "node-young-"+name)
		if err := os.WriteFile(young, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{path, current} {
			if err := os.Chtimes(p, old, old); err != nil {
				t.Fatal(err)
			}
		}
		cached(t, cache)
		for p, want := range map[string]bool{path: kept, young: true, current: true} {
			if _, err := os.Stat(p); (err == nil) != want {
				t.Errorf("%s: %v, want it kept: %v", filepath.Base(p), err, want)
			}
		}
		if info, err := os.Stat(current); err != nil || time.Since(info.ModTime()) > time.Hour {
			t.Error("the script in use looks unused")
		}
	}
}

// Without the variables of a run, or with broken ones, the script changes nothing.
func TestScriptNeedsItsVariables(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip(err)
	}
	script := cached(t, t.TempDir())
	for _, tt := range []struct {
		env  string
		want string
	}{
		{"", "false"}, {"https_proxy=http://127.0.0.1:1", "false"}, {ModeVariable + "=true", "false"}, {ModeVariable + "=true https_proxy=:::", "false"},
		{ModeVariable + "=true https_proxy=http://[::1]:1 NO_PROXY=*,10.0.0.0/99,[::1],a:80,/,1.2.3.4/x", "true"},
	} {
		cmd := exec.Command(node, "--require", script, "-p", "String(require('node:tls').connect).includes('tunnel')")
		cmd.Env = append(strings.Fields(tt.env), "PATH="+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != tt.want {
			t.Errorf("%s: %q, %v; want %s", tt.env, out, err, tt.want)
		}
	}
}
