package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// localKeeper returns the keeper of a home in mode local_key.
func localKeeper(home string) *Keeper {
	return &Keeper{
		Home:   home,
		Places: func() (Places, error) { return Places{Place: Place{Mode: ModeLocalKey}}, nil },
		Vaults: func() ([]string, error) { return nil, nil },
	}
}

func newVault(t testing.TB) (*Vault, string, *MasterKey) {
	t.Helper()
	home := t.TempDir()
	key, err := localKeeper(home).Load()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(home, "profile")
	v, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	return v, dir, key
}

func put(t testing.TB, v *Vault, key, value string) {
	t.Helper()
	if err := v.Update(context.Background(), func(tx *Tx) error { return tx.Put(key, []byte(value)) }); err != nil {
		t.Fatal(err)
	}
}

func get(v *Vault, key string) (value string, err error) {
	err = v.View(context.Background(), func(tx *Tx) error {
		b, err := tx.Get(key)
		value = string(b)
		return err
	})
	return value, err
}

func TestRecords(t *testing.T) {
	v, dir, key := newVault(t)
	put(t, v, "a:1", "one")
	put(t, v, "a:2", "two")
	put(t, v, "b:1", "other")
	reopened, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := get(reopened, "a:1"); got != "one" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := get(reopened, "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("missing record: %v", err)
	}
	err = reopened.View(context.Background(), func(tx *Tx) error {
		all, err := tx.List("a:")
		if len(all) != 2 || all[0].Key != "a:1" || string(all[1].Value) != "two" {
			t.Errorf("listed %v", all)
		}
		if err := tx.Put("x", nil); err == nil {
			t.Error("a view wrote")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before, _ := reopened.Generation()
	if err := reopened.Update(context.Background(), func(tx *Tx) error { return tx.Delete("a:1") }); err != nil {
		t.Fatal(err)
	}
	if after, _ := v.Generation(); after != before+1 {
		t.Errorf("generation %d after %d", after, before)
	}
	if _, err := get(v, "a:1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted record: %v", err)
	}
}

func TestFailedUpdateStoresNothing(t *testing.T) {
	v, _, _ := newVault(t)
	wrong := errors.New("wrong")
	err := v.Update(context.Background(), func(tx *Tx) error {
		if err := tx.Put("k", []byte("v")); err != nil {
			return err
		}
		return wrong
	})
	if !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
	if _, err := get(v, "k"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the record of a failed update: %v", err)
	}
	put(t, v, "k", "later")
}

// contents returns the contents of all files below a directory, by path.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWrongKeyAndOtherVaultsStore(t *testing.T) {
	_, dirA, _ := newVault(t)
	vB, dirB, keyB := newVault(t)
	put(t, vB, "k", "v")
	if _, err := Open(dirA, keyB); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another master key: %v", err)
	}
	c := filepath.Join(filepath.Dir(dirB), "other")
	vC, err := Open(c, keyB)
	if err != nil {
		t.Fatal(err)
	}
	put(t, vC, "k", "c")
	for _, name := range []string{"vault", "generation"} {
		if err := os.RemoveAll(filepath.Join(c, name)); err != nil {
			t.Fatal(err)
		}
		copyAll(t, filepath.Join(dirB, name), filepath.Join(c, name))
	}
	var damage *DamageError
	if got, err := get(vC, "k"); !errors.As(err, &damage) {
		t.Errorf("another vault's store: %q, %v", got, err)
	}
}

func TestDamage(t *testing.T) {
	remove := func(name string) func(string) error {
		return func(dir string) error { return os.RemoveAll(filepath.Join(dir, name)) }
	}
	truncate := func(name string, n int64) func(string) error {
		return func(dir string) error { return os.Truncate(filepath.Join(dir, name), n) }
	}
	for name, damage := range map[string]func(dir string) error{
		"no vault.json":          remove("vault.json"),
		"no store":               remove("vault"),
		"no manifest":            remove("vault/MANIFEST"),
		"manifest without edits": truncate("vault/MANIFEST", 16),
		"no key registry":        remove("vault/KEYREGISTRY"),
		"short key registry":     truncate("vault/KEYREGISTRY", 10),
		"no generation":          remove("generation"),
		"empty generation":       truncate("generation", 0),
	} {
		t.Run(name, func(t *testing.T) {
			v, dir, key := newVault(t)
			put(t, v, "k", "v")
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			var damaged *DamageError
			reopened, err := Open(dir, key)
			if err == nil {
				_, err = get(reopened, "k")
			}
			if !errors.As(err, &damaged) || damaged.Path == "" || damaged.Reason == "" {
				t.Errorf("reading: %v", err)
			}
			if err := v.Update(context.Background(), func(*Tx) error { return nil }); name != "no vault.json" && !errors.As(err, &damaged) {
				t.Errorf("writing: %v", err)
			}
		})
	}
}

// An old store with the current generation is detected, and so is an old
// generation with the current store.
func TestRollbackIsDetected(t *testing.T) {
	for _, name := range []string{"vault", "generation"} {
		t.Run(name, func(t *testing.T) {
			v, dir, _ := newVault(t)
			put(t, v, "k", "old")
			saved := filepath.Join(t.TempDir(), "saved")
			copyAll(t, filepath.Join(dir, name), saved)
			put(t, v, "k", "new")
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			copyAll(t, saved, filepath.Join(dir, name))
			var damage *DamageError
			if got, err := get(v, "k"); !errors.As(err, &damage) {
				t.Errorf("reading: %q, %v", got, err)
			}
			if err := v.Update(context.Background(), func(*Tx) error { return nil }); !errors.As(err, &damage) {
				t.Errorf("writing: %v", err)
			}
		})
	}
}

func copyAll(t testing.TB, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestMain runs the tests, or one of the other processes of a test.
func TestMain(m *testing.M) {
	switch os.Getenv("VAULT_TEST_ROLE") {
	case "count":
		count(os.Getenv("VAULT_TEST_DIR"), "count", 1)
	case "write-forever":
		count(os.Getenv("VAULT_TEST_DIR"), os.Getenv("VAULT_TEST_RECORD"), 1<<30)
	case "hold":
		holdLock(os.Getenv("VAULT_TEST_DIR"))
	case "load-key":
		if _, err := ReadKey(os.Getenv("VAULT_TEST_DIR"), Place{Mode: ModeLocalKey}); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
	case "change":
		changeAndDie(os.Getenv("VAULT_TEST_DIR"))
	default:
		os.Exit(m.Run())
	}
	os.Exit(0)
}

func TestMasterKeyFile(t *testing.T) {
	local := Place{Mode: ModeLocalKey}
	dir := t.TempDir()
	python := filepath.Join(dir, "master.key")
	if err := os.WriteFile(python, []byte(`{"version": 1, "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "algorithm": "AES-256-GCM", "created_at": "2026-01-01"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := ReadKey(dir, local)
	if err != nil || k.key.Reveal() != "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f" {
		t.Errorf("the Python authsome's key: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v", k, k, *k); strings.Contains(s, "\x01\x02") {
		t.Error("formatting shows the key")
	}
	if err := os.Chmod(python, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKey(dir, local); !errors.Is(err, ErrKeyExposed) {
		t.Errorf("a key that the group can read: %v", err)
	}
	short := t.TempDir()
	if err := os.WriteFile(filepath.Join(short, "master.key"), []byte(`{"version":1,"key":"AAEC"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if _, err := ReadKey(short, local); !errors.As(err, &damage) {
		t.Errorf("a short key: %v", err)
	}
	if _, err := ReadKey(t.TempDir(), local); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no key: %v", err)
	}
}

// A key that another user owns is refused, even for root.
func TestMasterKeyOfAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir, err := os.MkdirTemp("", "vault-owner-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const nobody = 65534
	exe := filepath.Join(dir, "test")
	if out, err := exec.Command("cp", process(t, "", "").Path, exe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	os.Chmod(dir, 0o755)
	path := filepath.Join(dir, "master.key")
	if _, err := localKeeper(dir).Load(); err != nil {
		t.Fatal(err)
	}
	load := func() (string, error) {
		cmd := process(t, "load-key", dir)
		cmd.Path, cmd.Args = exe, []string{exe}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := load(); err == nil {
		t.Errorf("root's key was read: %s", out)
	}
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if out, err := load(); err != nil {
		t.Errorf("the user's own key: %v: %s", err, out)
	}
	if _, err := ReadKey(dir, Place{Mode: ModeLocalKey}); !errors.Is(err, ErrKeyExposed) {
		t.Errorf("another user's key, as root: %v", err)
	}
}
