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

// campaign damages a vault in every way and looks at what a reader and a writer
// then get: a clear error, or all records as they were. It runs in this process,
// so that a crash in any goroutine ends the test.
type campaign struct {
	t       *testing.T
	dir     string
	key     *MasterKey
	records map[string]string
	sound   map[string][]byte // the vault's files
	tried   int
}

func newCampaign(t *testing.T) *campaign {
	t.Helper()
	v, dir, key := newVault(t)
	c := &campaign{t: t, dir: dir, key: key, records: make(map[string]string)}
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
	c.sound = contents(t, dir)
	if len(c.sound) < 6 {
		t.Fatalf("only %d files", len(c.sound))
	}
	return c
}

// restore makes the vault sound again.
func (c *campaign) restore() {
	c.t.Helper()
	for path := range contents(c.t, c.dir) {
		if _, known := c.sound[path]; !known {
			os.Remove(path)
		}
	}
	for path, b := range c.sound {
		if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, b) {
			continue
		}
		os.RemoveAll(path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// check looks at the damaged vault: harmless says that all may be well.
func (c *campaign) check(what string, harmless bool) {
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
			c.t.Errorf("%s: what was left was changed", what)
		}
	}
}

func (c *campaign) judge(what string, err error, harmless bool) {
	c.t.Helper()
	if err == nil && harmless {
		return
	}
	damage, ok := errors.AsType[*DamageError](err)
	if !ok && !errors.Is(err, ErrWrongKey) && !errors.Is(err, ErrNewerFormat) {
		c.t.Errorf("%s: %v", what, err)
	}
	if ok && (damage.Path == "" || damage.Reason == "") {
		c.t.Errorf("%s: the error names nothing: %v", what, err)
	}
}

// read fails the test if a record is wrong; that one is missing is an error of
// the vault too.
func (c *campaign) read(v *Vault) error {
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
			c.t.Errorf("the vault gives %q", got)
		}
		return nil
	})
}

// harmless files carry nothing.
func (c *campaign) harmless(path string) bool {
	return strings.HasPrefix(filepath.Base(path), "vault.lock")
}

func (c *campaign) paths() []string { return slices.Sorted(maps.Keys(c.sound)) }

func (c *campaign) name(path string) string {
	name, _ := filepath.Rel(c.dir, path)
	return name
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s", variable, text)
	}
	return n
}

// Every byte of the small files, and every 16th of the table, or as
// AUTHSOME_VAULT_STRIDE has it.
func TestDamagedBytes(t *testing.T) {
	c := newCampaign(t)
	stride := number(t, "AUTHSOME_VAULT_STRIDE", 16)
	for _, path := range c.paths() {
		step := 1
		if strings.HasSuffix(path, ".sst") {
			step = stride
		}
		b := c.sound[path]
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
	t.Logf("%d ways", c.tried)
}

func TestCutAndLostFiles(t *testing.T) {
	c := newCampaign(t)
	for _, path := range c.paths() {
		b := c.sound[path]
		for at := 0; at < len(b); at += max(1, len(b)/64) {
			if err := os.WriteFile(path, b[:at], 0o600); err != nil {
				t.Fatal(err)
			}
			c.check(fmt.Sprintf("%s cut at %d", c.name(path), at), c.harmless(path))
		}
		for what, more := range map[string][]byte{"a byte": {0}, "a line": []byte("\n"), "itself": b} {
			if len(more) == 0 {
				continue
			}
			if err := os.WriteFile(path, append(bytes.Clone(b), more...), 0o600); err != nil {
				t.Fatal(err)
			}
			// An editor may leave a line more in vault.json: it means nothing there.
			c.check(fmt.Sprintf("%s and %s", c.name(path), what), c.harmless(path) || what == "a line" && c.name(path) == "vault.json")
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		c.check(c.name(path)+" deleted", c.harmless(path))
		if err := os.Mkdir(path, 0o700); err != nil && !c.harmless(path) {
			t.Fatal(err)
		} else if !c.harmless(path) {
			c.checkAny(c.name(path) + " as a directory")
		}
		c.restore()
	}
	for what, extra := range map[string]string{"a log of Badger": "vault/00001.mem", "a table of Badger": "vault/000002.sst", "a value log": "vault/000001.vlog"} {
		if err := os.WriteFile(filepath.Join(c.dir, extra), c.sound[filepath.Join(c.dir, "vault/000001.sst")], 0o600); err != nil {
			t.Fatal(err)
		}
		c.check(what+" that is not the store's", false)
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
	t.Logf("%d ways", c.tried)
}

// checkAny is for damage that the system itself reports.
func (c *campaign) checkAny(what string) {
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
	c := newCampaign(t)
	paths := c.paths()
	for i, a := range paths {
		for _, b := range paths[i+1:] {
			if err := errors.Join(os.WriteFile(a, c.sound[b], 0o600), os.WriteFile(b, c.sound[a], 0o600)); err != nil {
				t.Fatal(err)
			}
			c.check(c.name(a)+" and "+c.name(b)+" exchanged", c.harmless(a) && c.harmless(b))
			c.restore()
		}
	}
}

// Parts of another vault under the same master key, and of another time.
func TestSwappedVaults(t *testing.T) {
	c := newCampaign(t)
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
		c.check(fmt.Sprintf("%q of two vaults exchanged", names), false)
		swap(names...)
	}
	c.restore()
	if err := c.read(mustOpen(t, c.dir, c.key)); err != nil {
		t.Errorf("after all that: %v", err)
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
