package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

func newIdentity(t testing.TB) *age.X25519Identity {
	t.Helper()
	i, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// backedUp is a vault with some records, and a backup of it.
func backedUp(t *testing.T) (dir string, key *MasterKey, backup []byte, as *age.X25519Identity) {
	t.Helper()
	v, dir, key := newVault(t)
	put(t, v, "a", "first")
	put(t, v, "b", "second")
	as = newIdentity(t)
	var out bytes.Buffer
	if _, err := v.Backup(t.Context(), &out, as.Recipient()); err != nil {
		t.Fatal(err)
	}
	return dir, key, out.Bytes(), as
}

func TestBackupAndRestore(t *testing.T) {
	dir, key, backup, as := backedUp(t)
	if bytes.Contains(backup, []byte("first")) || bytes.Contains(backup, []byte("record")) {
		t.Error("the backup can be read")
	}
	b, err := ReadBackup(bytes.NewReader(backup), as)
	if err != nil {
		t.Fatal(err)
	}
	// A vault with records stays, unless it is forced.
	v := mustOpen(t, dir, key)
	put(t, v, "a", "newer")
	put(t, v, "c", "more")
	if err := Restore(t.Context(), dir, key, b, false); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("over records: %v", err)
	}
	before, _ := v.Generation()
	if err := Restore(t.Context(), dir, key, b, true); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, mustOpen(t, dir, key), "a=first b=second")
	if after, err := v.Generation(); after != before+1 || err != nil {
		t.Errorf("generation %d after %d: %v", after, before, err)
	}
	// A new home, with another master key: sealed under the vault's own keys.
	other := filepath.Join(t.TempDir(), "profile")
	otherKey, err := localKeeper(filepath.Dir(other)).Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := Restore(t.Context(), other, otherKey, b, false); err != nil {
		t.Fatal(err)
	}
	restored := mustOpen(t, other, otherKey)
	wantRecords(t, restored, "a=first b=second")
	if restored.ID() == v.ID() || restored.keys.Load().kid == v.keys.Load().kid {
		t.Error("the restored vault has the old one's identity or key")
	}
	// What was written under the old one's derived keys can still be verified.
	err = restored.View(t.Context(), func(tx *Tx) error {
		keys, err := tx.RetiredKeys("audit")
		if len(keys) != 1 || !bytes.Equal(keys[0], v.DeriveKey("audit")) {
			t.Errorf("%d retired keys", len(keys))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := Restore(t.Context(), filepath.Join(filepath.Dir(other), "work"), otherKey, b, false); !errors.Is(err, ErrOtherProfile) {
		t.Errorf("into another profile: %v", err)
	}
}

func wantRecords(t *testing.T, v *Vault, want string) {
	t.Helper()
	err := v.View(t.Context(), func(tx *Tx) error {
		all, err := tx.List("")
		var records []string
		for _, r := range all {
			if !strings.HasPrefix(r.Key, retiredPrefix) {
				records = append(records, r.Key+"="+string(r.Value))
			}
		}
		if got := strings.Join(records, " "); got != want {
			t.Errorf("the vault has %q, want %q", got, want)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A backup that is not whole is refused before anything is touched: the age
// format authenticates all of it.
func TestDamagedBackup(t *testing.T) {
	_, _, backup, as := backedUp(t)
	refused := func(what string, b []byte, as age.Identity) {
		t.Helper()
		if _, err := ReadBackup(bytes.NewReader(b), as); !errors.Is(err, ErrNotBackup) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for at := range backup {
		flipped := bytes.Clone(backup)
		flipped[at] ^= 1
		refused(fmt.Sprint("byte ", at), flipped, as)
		refused(fmt.Sprint("cut at ", at), backup[:at], as)
	}
	refused("more at the end", append(bytes.Clone(backup), '\n'), as)
	refused("another identity", backup, newIdentity(t))
	var other bytes.Buffer
	w, err := age.Encrypt(&other, as.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "{}")
	w.Close()
	refused("another age file", other.Bytes(), as)
}

// What cannot be opened any more can be restored over, and only by force.
func TestRestoreOverDamage(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"no vault.json":    func(dir string) error { return os.Remove(filepath.Join(dir, "vault.json")) },
		"empty vault.json": func(dir string) error { return os.Truncate(filepath.Join(dir, "vault.json"), 0) },
		"no store":         func(dir string) error { return os.RemoveAll(filepath.Join(dir, "vault")) },
		"no manifest":      func(dir string) error { return os.Remove(filepath.Join(dir, "vault", "MANIFEST")) },
		"no generation":    func(dir string) error { return os.Remove(filepath.Join(dir, "generation")) },
		"cut table":        func(dir string) error { return os.Truncate(filepath.Join(dir, "vault", "000001.sst"), 100) },
		"another master key": func(dir string) error {
			return os.Rename(filepath.Join(dir, "other.key"), filepath.Join(filepath.Dir(dir), "master.key"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, backup, as := backedUp(t)
			if err := makeKeyFile(filepath.Join(dir, "other.key"), newMasterKey()); err != nil {
				t.Fatal(err)
			}
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			key, err := ReadKey(filepath.Dir(dir), Place{Mode: ModeLocalKey})
			if err != nil {
				t.Fatal(err)
			}
			b, err := ReadBackup(bytes.NewReader(backup), as)
			if err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			if err := Restore(t.Context(), dir, key, b, false); !isDamage(err) && !errors.Is(err, ErrWrongKey) {
				t.Errorf("without force: %v", err)
			}
			for path, was := range before {
				if now, err := os.ReadFile(path); !bytes.Equal(now, was) {
					t.Errorf("without force %s was changed: %v", path, err)
				}
			}
			if err := Restore(t.Context(), dir, key, b, true); err != nil {
				t.Fatal(err)
			}
			v := mustOpen(t, dir, key)
			wantRecords(t, v, "a=first b=second")
			put(t, v, "c", "third")
		})
	}
}

func TestCheck(t *testing.T) {
	v, dir, _ := newVault(t)
	put(t, v, "sound", "1")
	put(t, v, "moved", "2")
	put(t, v, "cut", "3")
	if r, err := v.Check(t.Context()); err != nil || len(r.Damage) != 0 || r.Records != 3 || r.Generation != 4 {
		t.Errorf("a sound vault: %+v, %v", r, err)
	}
	raw(t, v, func(tx storeTx) error {
		sealed, err := tx.get("sound")
		return errors.Join(err, tx.set("moved", sealed), tx.set("cut", sealed[:len(sealed)-9]))
	})
	r, err := v.Check(t.Context())
	if err != nil || len(r.Damage) != 2 || r.Records != 1 || r.Damage[0].Path != "record cut" || r.Damage[1].Path != "record moved" {
		t.Errorf("two damaged records: %+v, %v", r, err)
	}
	for _, name := range []string{"MANIFEST", "KEYREGISTRY"} {
		if err := os.Truncate(filepath.Join(dir, "vault", name), 20); err != nil {
			t.Fatal(err)
		}
	}
	r, err = v.Check(t.Context())
	if err != nil || len(r.Damage) != 2 || filepath.Base(r.Damage[0].Path) != "KEYREGISTRY" || filepath.Base(r.Damage[1].Path) != "MANIFEST" {
		t.Errorf("two damaged files: %+v, %v", r, err)
	}
}

// What an update replaced or deleted is in no file any more, under any key: no
// store before the present one is left, and a table has a record once.
func TestOldSecretsAreGone(t *testing.T) {
	v, dir, _ := newVault(t)
	var old [][]byte // files of all earlier stores
	keep := func() {
		for path, b := range contents(t, filepath.Join(dir, "vault")) {
			if filepath.Base(path) != "MANIFEST" { // it holds no record, and is always the same
				old = append(old, b)
			}
		}
	}
	put(t, v, "k", "superseded")
	put(t, v, "gone", "deleted")
	keep()
	put(t, v, "k", "present")
	keep()
	if err := v.Update(context.Background(), func(tx *Tx) error { return tx.Delete("gone") }); err != nil {
		t.Fatal(err)
	}
	for path, b := range contents(t, dir) {
		for _, o := range old {
			if bytes.Contains(b, o[:min(len(o), 64)]) {
				t.Errorf("%s has something of an earlier store", path)
			}
		}
	}
	wantRecords(t, v, "k=present")
	versions := 0
	err := v.files().allVersions(func(key string) { versions++ })
	if err != nil || versions != 2 { // k and the head
		t.Errorf("the store has %d versions of records: %v", versions, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 5 {
		t.Errorf("the profile has %v: %v", entries, err)
	}
}
