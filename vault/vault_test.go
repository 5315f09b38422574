package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func newVault(t testing.TB) (*Vault, string, *MasterKey) {
	t.Helper()
	home := t.TempDir()
	key, err := EnsureMasterKey(filepath.Join(home, "master.key"))
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
	again, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := get(again, "a:1"); got != "one" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := get(again, "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a record that is not there: %v", err)
	}
	err = again.View(context.Background(), func(tx *Tx) error {
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
	before, _ := again.Generation()
	if err := again.Update(context.Background(), func(tx *Tx) error { return tx.Delete("a:1") }); err != nil {
		t.Fatal(err)
	}
	if after, _ := v.Generation(); after != before+1 {
		t.Errorf("generation %d after %d", after, before)
	}
	if _, err := get(v, "a:1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted record: %v", err)
	}
}

// What fails in an update is not there, and moves nothing.
func TestFailedUpdateLeavesNothing(t *testing.T) {
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

func files(t *testing.T, dir string) map[string][]byte {
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

func TestConfidential(t *testing.T) {
	v, dir, _ := newVault(t)
	const value = "plaintext-7261c0ffee"
	put(t, v, "name-of-the-record", value)
	found := files(t, filepath.Dir(dir))
	if len(found) < 5 {
		t.Fatalf("only %d files", len(found))
	}
	for path, b := range found {
		if bytes.Contains(b, []byte(value)) || bytes.Contains(b, []byte("name-of-the-record")) {
			t.Errorf("%s shows the record", path)
		}
	}
	for path := range found {
		if info, _ := os.Stat(filepath.Dir(path)); filepath.Dir(path) != filepath.Dir(dir) && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", filepath.Dir(path), info.Mode())
		}
	}
}

// raw reads and writes sealed records under other names, as an attacker with the
// store's key would.
func raw(t *testing.T, v *Vault, fn func(storeTx) error) {
	t.Helper()
	s, err := v.open(readWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.update(fn); err != nil {
		t.Fatal(err)
	}
}

func TestIntegrity(t *testing.T) {
	v, _, _ := newVault(t)
	put(t, v, "mine", "one")
	put(t, v, "yours", "two")
	raw(t, v, func(tx storeTx) error {
		sealed, err := tx.get("yours")
		if err != nil {
			return err
		}
		return tx.set("mine", sealed)
	})
	var damage *DamageError
	if got, err := get(v, "mine"); !errors.As(err, &damage) || damage.Path != "record mine" {
		t.Errorf("a record moved to another key: %q, %v", got, err)
	}
	if got, err := get(v, "yours"); got != "two" || err != nil {
		t.Errorf("the other record: %q, %v", got, err)
	}
}

func TestWrongKeyAndSwappedVaults(t *testing.T) {
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
		if out, err := exec.Command("cp", "-a", filepath.Join(dirB, name), filepath.Join(c, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
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
			var is *DamageError
			again, err := Open(dir, key)
			if err == nil {
				_, err = get(again, "k")
			}
			if !errors.As(err, &is) || is.Path == "" || is.Reason == "" {
				t.Errorf("reading: %v", err)
			}
			if err := v.Update(context.Background(), func(*Tx) error { return nil }); name != "no vault.json" && !errors.As(err, &is) {
				t.Errorf("writing: %v", err)
			}
		})
	}
}

// An old copy of the store beside the present generation is found out; one
// commit that was interrupted is not taken for that.
func TestRollback(t *testing.T) {
	v, dir, _ := newVault(t)
	put(t, v, "k", "old")
	seq, _ := v.Generation()
	if err := v.writeGeneration(seq + 1); err != nil { // killed before its commit
		t.Fatal(err)
	}
	if got, err := get(v, "k"); got != "old" || err != nil {
		t.Errorf("after an interrupted commit: %q, %v", got, err)
	}
	put(t, v, "k", "new")
	if now, _ := v.Generation(); now != seq+2 {
		t.Errorf("generation %d, want %d", now, seq+2)
	}
	if err := v.writeGeneration(seq + 4); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if _, err := get(v, "k"); !errors.As(err, &damage) {
		t.Errorf("a store that is two commits old: %v", err)
	}
	if err := v.writeGeneration(seq + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := get(v, "k"); !errors.As(err, &damage) || damage.Path != filepath.Join(dir, "generation") {
		t.Errorf("a generation older than the store: %v", err)
	}
}

func TestLockDeadline(t *testing.T) {
	v, _, _ := newVault(t)
	unlock, err := v.lock(context.Background(), exclusive)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := v.View(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a held lock: %v", err)
	}
	unlock()
	if err := v.View(context.Background(), func(*Tx) error { return nil }); err != nil {
		t.Errorf("after it was let go: %v", err)
	}
}

// TestMain lets the test binary be the other processes of a test.
func TestMain(m *testing.M) {
	switch os.Getenv("VAULT_TEST_ROLE") {
	case "count":
		count(os.Getenv("VAULT_TEST_DIR"), 1)
	case "write-forever":
		count(os.Getenv("VAULT_TEST_DIR"), 1<<30)
	case "load-key":
		if _, err := LoadMasterKey(os.Getenv("VAULT_TEST_DIR")); err != nil {
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

// count adds one to a record n times, saying each number once it is acknowledged.
func count(dir string, n int) {
	key, err := EnsureMasterKey(filepath.Join(filepath.Dir(dir), "master.key"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	v, err := Open(dir, key)
	for i := 0; err == nil && i < n; i++ {
		var now int
		err = v.Update(context.Background(), func(tx *Tx) error {
			b, err := tx.Get("count")
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			now, _ = strconv.Atoi(string(b))
			now++
			return tx.Put("count", []byte(strconv.Itoa(now)))
		})
		fmt.Println(now)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func process(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "VAULT_TEST_ROLE="+role, "VAULT_TEST_DIR="+dir)
	return cmd
}

// Processes that start at once, in a home that none has made yet.
func TestManyProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profile")
	const n = 20
	var all []*exec.Cmd
	var outputs []*bytes.Buffer
	for range n {
		cmd, out := process(t, "count", dir), new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all, outputs = append(all, cmd), append(outputs, out)
	}
	for i, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, outputs[i])
		}
	}
	key, err := LoadMasterKey(filepath.Join(filepath.Dir(dir), "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := get(v, "count"); got != strconv.Itoa(n) || err != nil {
		t.Errorf("%s updates of %d are there: %v", got, n, err)
	}
}

// A writer killed at any moment blocks nobody and loses nothing that it said was
// written.
func TestKilledWriter(t *testing.T) {
	v, dir, _ := newVault(t)
	for range 10 {
		cmd := process(t, "write-forever", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := make([]byte, 64)
		n, err := out.Read(lines) // it has written at least once
		if err != nil {
			t.Fatal(err)
		}
		cmd.Process.Signal(syscall.SIGKILL)
		rest := new(bytes.Buffer)
		rest.ReadFrom(out)
		cmd.Wait()
		said := strings.Fields(string(lines[:n]) + rest.String())
		acknowledged, _ := strconv.Atoi(said[len(said)-1])
		got, err := get(v, "count")
		now, _ := strconv.Atoi(got)
		if err != nil || now < acknowledged || now > acknowledged+1 {
			t.Fatalf("%d acknowledged, %q found: %v", acknowledged, got, err)
		}
	}
}

func TestMasterKeyFile(t *testing.T) {
	dir := t.TempDir()
	python := filepath.Join(dir, "python.key")
	if err := os.WriteFile(python, []byte(`{"version": 1, "key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "algorithm": "AES-256-GCM", "created_at": "2026-01-01"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := LoadMasterKey(python)
	if err != nil || k.key.Reveal() != "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f" {
		t.Errorf("the Python authsome's key: %v", err)
	}
	if s := fmt.Sprintf("%v %+v %#v", k, k, *k); strings.Contains(s, "\x01\x02") {
		t.Error("the key prints")
	}
	if err := os.Chmod(python, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadMasterKey(python); !errors.Is(err, ErrKeyExposed) {
		t.Errorf("a key that the group can read: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cut.key"), []byte(`{"version":1,"key":"AAEC"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if _, err := LoadMasterKey(filepath.Join(dir, "cut.key")); !errors.As(err, &damage) {
		t.Errorf("a short key: %v", err)
	}
	if _, err := LoadMasterKey(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no key: %v", err)
	}
}

// Another user's key is refused; the same file as one's own is read.
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
	if _, err := EnsureMasterKey(path); err != nil {
		t.Fatal(err)
	}
	load := func() (string, error) {
		cmd := process(t, "load-key", path)
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
		t.Errorf("one's own key: %v: %s", err, out)
	}
	if _, err := LoadMasterKey(path); !errors.Is(err, ErrKeyExposed) {
		t.Errorf("another user's key, as root: %v", err)
	}
}

func FuzzEnvelope(f *testing.F) {
	s, err := newSealer(bytes.Repeat([]byte{7}, keySize), "id", "kid")
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := s.seal("key", []byte("value"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, "key")
	f.Add([]byte(`{"enc":1}`), "key")
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		e, err := decodeEnvelope(b)
		if err != nil {
			return
		}
		// Only what was sealed, under the name it was sealed for, opens.
		value, err := s.open(key, e)
		if err == nil && (key != "key" || string(value) != "value") {
			t.Errorf("opened %q as %q", value, key)
		}
	})
}

func FuzzSealOpen(f *testing.F) {
	s, err := newSealer(bytes.Repeat([]byte{7}, keySize), "id", "kid")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("key", []byte("value"), uint16(3))
	f.Fuzz(func(t *testing.T, key string, value []byte, flip uint16) {
		sealed, err := s.seal(key, value)
		if err != nil {
			t.Fatal(err)
		}
		e, err := decodeEnvelope(sealed)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.open(key, e); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("opened %q, %v", got, err)
		}
		if _, err := s.open(key+"x", e); err == nil {
			t.Error("opened under another key")
		}
		all := [][]byte{e.Nonce, e.Ciphertext, e.Tag}
		part := all[int(flip)%3]
		if len(part) > 0 {
			part[int(flip/3)%len(part)] ^= 1
			if _, err := s.open(key, e); err == nil {
				t.Error("opened after a bit was flipped")
			}
		}
	})
}

func BenchmarkView(b *testing.B) {
	v := filled(b)
	for b.Loop() {
		if err := v.View(context.Background(), func(tx *Tx) error { _, err := tx.Get("k:7"); return err }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	v := filled(b)
	for b.Loop() {
		put(b, v, "k:7", strings.Repeat("v", 400))
	}
}

func filled(b *testing.B) *Vault {
	b.Helper()
	v, _, _ := newVault(b)
	err := v.Update(context.Background(), func(tx *Tx) error {
		for i := range 100 {
			if err := tx.Put(fmt.Sprint("k:", i), bytes.Repeat([]byte("v"), 400)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return v
}
