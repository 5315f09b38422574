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

// backupOfVault creates a vault with two records and a backup of it.
func backupOfVault(t *testing.T) (dir string, key *MasterKey, backup []byte, as *age.X25519Identity) {
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
	dir, key, backup, as := backupOfVault(t)
	if bytes.Contains(backup, []byte("first")) || bytes.Contains(backup, []byte("record")) {
		t.Error("the backup contains plain text")
	}
	b, err := ReadBackup(bytes.NewReader(backup), as)
	if err != nil {
		t.Fatal(err)
	}
	// Records are replaced only with force.
	v := mustOpen(t, dir, key)
	put(t, v, "a", "newer")
	put(t, v, "c", "more")
	if err := Restore(t.Context(), dir, key, b, false); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("vault with records, without force: %v", err)
	}
	before, _ := v.Generation()
	if err := Restore(t.Context(), dir, key, b, true); err != nil {
		t.Fatal(err)
	}
	wantRecords(t, mustOpen(t, dir, key), "a=first b=second")
	if after, err := v.Generation(); after != before+1 || err != nil {
		t.Errorf("generation %d after %d: %v", after, before, err)
	}
	// In a new home, with another master key, the records are sealed under that
	// vault's own keys.
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
		t.Error("the restored vault has the ID or the data key of the old one")
	}
	// The keys that the old vault derived can still verify what they authenticated.
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
		t.Errorf("another profile: %v", err)
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

// A modified or truncated backup is refused: the age format authenticates every
// byte.
func TestDamagedBackupIsRefused(t *testing.T) {
	_, _, backup, as := backupOfVault(t)
	wantRefused := func(what string, b []byte, as age.Identity) {
		t.Helper()
		if _, err := ReadBackup(bytes.NewReader(b), as); !errors.Is(err, ErrNotBackup) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for at := range backup {
		flipped := bytes.Clone(backup)
		flipped[at] ^= 1
		wantRefused(fmt.Sprint("byte ", at), flipped, as)
		wantRefused(fmt.Sprint("truncated to ", at), backup[:at], as)
	}
	wantRefused("one more byte", append(bytes.Clone(backup), '\n'), as)
	wantRefused("another identity", backup, newIdentity(t))
	var other bytes.Buffer
	w, err := age.Encrypt(&other, as.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, "{}")
	w.Close()
	wantRefused("another age file", other.Bytes(), as)
}

// A vault that cannot be opened can be restored with force, and only with force.
func TestRestoreDamagedVault(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"no vault.json":    func(dir string) error { return os.Remove(filepath.Join(dir, "vault.json")) },
		"empty vault.json": func(dir string) error { return os.Truncate(filepath.Join(dir, "vault.json"), 0) },
		"no store":         func(dir string) error { return os.RemoveAll(filepath.Join(dir, "vault")) },
		"no manifest":      func(dir string) error { return os.Remove(filepath.Join(dir, "vault", "MANIFEST")) },
		"no generation":    func(dir string) error { return os.Remove(filepath.Join(dir, "generation")) },
		"truncated table":  func(dir string) error { return os.Truncate(filepath.Join(dir, "vault", "000001.sst"), 100) },
		"another master key": func(dir string) error {
			return os.Rename(filepath.Join(dir, "other.key"), filepath.Join(filepath.Dir(dir), "master.key"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _, backup, as := backupOfVault(t)
			if err := createUnwrappedKeyFile(filepath.Join(dir, "other.key"), newMasterKey()); err != nil {
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
					t.Errorf("without force %s was modified: %v", path, err)
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
	put(t, v, "undamaged", "1")
	put(t, v, "moved", "2")
	put(t, v, "truncated", "3")
	if r, err := v.Check(t.Context()); err != nil || len(r.Damage) != 0 || r.Records != 3 || r.Generation != 4 {
		t.Errorf("undamaged vault: %+v, %v", r, err)
	}
	rawUpdate(t, v, func(tx storeTx) error {
		sealed, err := tx.get("undamaged")
		return errors.Join(err, tx.set("moved", sealed), tx.set("truncated", sealed[:len(sealed)-9]))
	})
	r, err := v.Check(t.Context())
	if err != nil || len(r.Damage) != 2 || r.Records != 1 || r.Damage[0].Path != "record moved" || r.Damage[1].Path != "record truncated" {
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

// After an update no file contains a replaced or deleted value, under any key: the
// old store is deleted, and a table has one version of each record.
func TestReplacedValuesAreDeleted(t *testing.T) {
	v, dir, _ := newVault(t)
	var old [][]byte // files of all earlier stores
	keep := func() {
		for path, b := range contents(t, filepath.Join(dir, "vault")) {
			if filepath.Base(path) != "MANIFEST" { // it has no record and is always the same
				old = append(old, b)
			}
		}
	}
	put(t, v, "k", "replaced")
	put(t, v, "d", "deleted")
	keep()
	put(t, v, "k", "current")
	keep()
	if err := v.Update(context.Background(), func(tx *Tx) error { return tx.Delete("d") }); err != nil {
		t.Fatal(err)
	}
	for path, b := range contents(t, dir) {
		for _, o := range old {
			if bytes.Contains(b, o[:min(len(o), 64)]) {
				t.Errorf("%s contains data of an earlier store", path)
			}
		}
	}
	wantRecords(t, v, "k=current")
	versions := 0
	err := v.files().allVersions(func(key string) { versions++ })
	if err != nil || versions != 2 { // k and head
		t.Errorf("the store has %d versions of records: %v", versions, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 5 {
		t.Errorf("the directory has %v: %v", entries, err)
	}
}
