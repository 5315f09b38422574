package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// damageTest damages a vault in many ways and checks that a reader and a writer
// then get either a clear error or all the original records. It runs in this
// process, so a crash in any goroutine fails the test.
type damageTest struct {
	t        *testing.T
	dir      string
	key      *MasterKey
	records  map[string]string
	original map[string][]byte // the vault's files
	tried    int
}

func newDamageTest(t *testing.T) *damageTest {
	t.Helper()
	v, dir, key := newVault(t)
	c := &damageTest{t: t, dir: dir, key: key, records: make(map[string]string)}
	for i := range 6 {
		c.records[fmt.Sprint("record:", i)] = strings.Repeat(fmt.Sprint("value ", i, " "), 10)
	}
	err := v.Update(t.Context(), func(tx *Tx) error {
		for key, value := range c.records {
			if err := tx.Put(key, []byte(value)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.original = contents(t, dir)
	if len(c.original) < 6 {
		t.Fatalf("only %d files", len(c.original))
	}
	return c
}

// restore restores the original files.
func (c *damageTest) restore() {
	c.t.Helper()
	for path := range contents(c.t, c.dir) {
		if _, known := c.original[path]; !known {
			os.Remove(path)
		}
	}
	for path, b := range c.original {
		if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, b) {
			continue
		}
		os.RemoveAll(path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// check checks the damaged vault. With harmless set, the vault may also work.
func (c *damageTest) check(what string, harmless bool) {
	c.t.Helper()
	c.tried++
	before := contents(c.t, c.dir)
	v, err := Open(c.dir, c.key)
	if err == nil {
		err = c.read(v)
	}
	c.judge(what+": reading", err, harmless)
	if v != nil {
		wrote := v.Update(context.Background(), func(tx *Tx) error { return nil })
		c.judge(what+": writing", wrote, harmless)
		if wrote == nil {
			return
		}
	}
	if after := contents(c.t, c.dir); !maps.EqualFunc(before, after, bytes.Equal) {
		for path := range after {
			if c.harmless(path) {
				delete(before, path)
				delete(after, path)
			}
		}
		if !maps.EqualFunc(before, after, bytes.Equal) {
			c.t.Errorf("%s: files of the damaged vault were modified", what)
		}
	}
}

func (c *damageTest) judge(what string, err error, harmless bool) {
	c.t.Helper()
	if err == nil && harmless {
		return
	}
	damage, ok := errors.AsType[*DamageError](err)
	if !ok && !errors.Is(err, ErrWrongKey) && !errors.Is(err, ErrNewerFormat) {
		c.t.Errorf("%s: %v", what, err)
	}
	if ok && (damage.Path == "" || damage.Reason == "") {
		c.t.Errorf("%s: the error has no path or no reason: %v", what, err)
	}
}

// read returns the vault's error. It fails the test if the vault returns wrong
// records without an error.
func (c *damageTest) read(v *Vault) error {
	return v.View(context.Background(), func(tx *Tx) error {
		all, err := tx.List("")
		if err != nil {
			return err
		}
		got := make(map[string]string)
		for _, r := range all {
			got[r.Key] = string(r.Value)
		}
		if !maps.Equal(got, c.records) {
			c.t.Errorf("the vault returns %q", got)
		}
		return nil
	})
}

// harmless reports whether a file has no content that matters.
func (c *damageTest) harmless(path string) bool {
	return strings.HasPrefix(filepath.Base(path), "vault.lock")
}

func (c *damageTest) paths() []string { return slices.Sorted(maps.Keys(c.original)) }

func (c *damageTest) name(path string) string {
	name, _ := filepath.Rel(c.dir, path)
	return name
}

// envInt returns a number from the environment.
func envInt(t *testing.T, variable string, fallback int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s", variable, text)
	}
	return n
}

// TestModifiedBytes modifies every byte of the small files. Of the table it modifies
// every 16th byte, or every nth for AUTHSOME_VAULT_STRIDE=n.
func TestModifiedBytes(t *testing.T) {
	c := newDamageTest(t)
	stride := envInt(t, "AUTHSOME_VAULT_STRIDE", 16)
	for _, path := range c.paths() {
		step := 1
		if strings.HasSuffix(path, ".sst") {
			step = stride
		}
		b := c.original[path]
		for at := 0; at < len(b); at += step {
			for _, flip := range []byte{1, 0x20, 0x80} {
				damaged := bytes.Clone(b)
				damaged[at] ^= flip
				if err := os.WriteFile(path, damaged, 0o600); err != nil {
					t.Fatal(err)
				}
				c.check(fmt.Sprintf("%s, byte %d ^ %#x", c.name(path), at, flip), false)
				if t.Failed() {
					return
				}
			}
		}
		c.restore()
	}
	t.Logf("tried %d kinds of damage", c.tried)
}

func TestTruncatedAndMissingFiles(t *testing.T) {
	c := newDamageTest(t)
	for _, path := range c.paths() {
		b := c.original[path]
		for at := 0; at < len(b); at += max(1, len(b)/64) {
			if err := os.WriteFile(path, b[:at], 0o600); err != nil {
				t.Fatal(err)
			}
			c.check(fmt.Sprintf("%s truncated to %d", c.name(path), at), c.harmless(path))
		}
		for what, more := range map[string][]byte{"a zero byte": {0}, "an empty line": []byte("\n"), "its content again": b} {
			if len(more) == 0 {
				continue
			}
			if err := os.WriteFile(path, append(bytes.Clone(b), more...), 0o600); err != nil {
				t.Fatal(err)
			}
			// An editor may append an empty line to vault.json; JSON ignores it.
			c.check(fmt.Sprintf("%s with %s appended", c.name(path), what), c.harmless(path) || what == "an empty line" && c.name(path) == "vault.json")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		c.check(c.name(path)+" deleted", c.harmless(path))
		if err := os.Mkdir(path, 0o700); err != nil && !c.harmless(path) {
			t.Fatal(err)
		} else if !c.harmless(path) {
			c.checkAny(c.name(path) + " replaced by a directory")
		}
		c.restore()
	}
	for what, extra := range map[string]string{"a Badger log": "vault/00001.mem", "a Badger table": "vault/000002.sst", "a value log": "vault/000001.vlog"} {
		if err := os.WriteFile(filepath.Join(c.dir, extra), c.original[filepath.Join(c.dir, "vault/000001.sst")], 0o600); err != nil {
			t.Fatal(err)
		}
		c.check(what+" that does not belong to the store", false)
		c.restore()
	}
	for _, names := range [][]string{{"vault"}, {"vault", "vault.json"}, {"vault", "generation"}, {"generation", "vault.json"}} {
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		c.check(strings.Join(names, " and ")+" deleted", false)
		c.restore()
	}
	t.Logf("tried %d kinds of damage", c.tried)
}

// checkAny accepts any error, for damage that the operating system reports.
func (c *damageTest) checkAny(what string) {
	c.t.Helper()
	v, err := Open(c.dir, c.key)
	if err == nil {
		err = c.read(v)
	}
	if err == nil {
		c.t.Errorf("%s: no error", what)
	}
}

func TestSwappedFiles(t *testing.T) {
	c := newDamageTest(t)
	paths := c.paths()
	for i, a := range paths {
		for _, b := range paths[i+1:] {
			if err := errors.Join(os.WriteFile(a, c.original[b], 0o600), os.WriteFile(b, c.original[a], 0o600)); err != nil {
				t.Fatal(err)
			}
			c.check(c.name(a)+" and "+c.name(b)+" swapped", c.harmless(a) && c.harmless(b))
			c.restore()
		}
	}
}

// Parts of a vault are swapped with those of another vault under the same master
// key.
func TestSwappedVaults(t *testing.T) {
	c := newDamageTest(t)
	other := filepath.Join(filepath.Dir(c.dir), "other")
	v, err := Open(other, c.key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, v, "record:1", "another value")
	swap := func(names ...string) {
		t.Helper()
		for _, name := range names {
			a, b, aside := filepath.Join(c.dir, name), filepath.Join(other, name), filepath.Join(t.TempDir(), "aside")
			if err := errors.Join(os.Rename(a, aside), os.Rename(b, a), os.Rename(aside, b)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, names := range [][]string{{"vault"}, {"generation"}, {"vault.json"}, {"vault", "generation"}, {"vault", "vault.json"}, {"vault.json", "generation"}, {"."}} {
		if names[0] == "." { // the whole directories
			names = []string{""}
		}
		swap(names...)
		c.check(fmt.Sprintf("%q of two vaults swapped", names), false)
		swap(names...)
	}
	c.restore()
	if err := c.read(mustOpen(t, c.dir, c.key)); err != nil {
		t.Errorf("after the files were swapped back: %v", err)
	}
}

func mustOpen(t testing.TB, dir string, key *MasterKey) *Vault {
	t.Helper()
	v, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
