package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestChange(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			h := prepare(t, c.from)
			old := h.key
			from, err := h.keeper().Places()
			if err != nil {
				t.Fatal(err)
			}
			before := h.vaultFiles(t)
			if err := h.keeper().Change(context.Background(), h.change(name)); err != nil {
				t.Fatal(err)
			}
			h.wantRecords(t)
			if c.from.Mode == ModeFile && c.to.Mode != ModeFile {
				os.Remove(placeIn(h.dir, c.from).File) // as the user has to
			}
			h.wantDone(t, old, before, c.reseal)
			wantNoEntry(t, from.Place)
			if p, _ := h.keeper().Places(); p.Mode != c.to.Mode || p.Changed.IsZero() {
				t.Errorf("recorded: %+v", p)
			}
		})
	}
}

// A vault that is open during a change still reads and writes afterwards, and
// derives other keys only if the data key was replaced.
func TestOpenVaultFollowsChange(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			h := prepare(t, c.from)
			v, other := h.open(t, "work"), h.open(t, "default")
			derived := string(v.DeriveKey("x"))
			k := h.keeper()
			k.afterStep = func(step string) error {
				if _, err := other.Generation(); err != nil {
					return fmt.Errorf("after %s: %w", step, err)
				}
				return nil
			}
			if err := k.Change(context.Background(), h.change(name)); err != nil {
				t.Fatal(err)
			}
			h.passphrase = "" // asking for it again would fail
			before, err := v.Generation()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := get(v, "a"); got != "value of work" || err != nil {
				t.Fatalf("reading: %q, %v", got, err)
			}
			put(t, v, "c", "later")
			if after, err := v.Generation(); after != before+1 || err != nil {
				t.Errorf("generation %d after %d: %v", after, before, err)
			}
			if changed := string(v.DeriveKey("x")) != derived; changed != c.reseal {
				t.Errorf("the derived key changed: %v, want %v", changed, c.reseal)
			}
		})
	}
}

// A vault that was opened with a key from ReadKey can be read after a rotation that
// reseals it.
func TestReadKeyFollowsRotation(t *testing.T) {
	h := newTestHome(t)
	m, err := ReadKey(h.dir, Place{Mode: ModeLocalKey})
	if err != nil {
		t.Fatal(err)
	}
	v := mustOpen(t, filepath.Join(h.dir, "profiles", "work"), m)
	if err := h.keeper().Change(t.Context(), Change{To: Place{Mode: ModeLocalKey}, Reseal: true}); err != nil {
		t.Fatal(err)
	}
	if got, err := get(v, "a"); got != "value of work" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Writers that run during rotations with resealing lose no update.
func TestChangeDuringWrites(t *testing.T) {
	h := newTestHome(t)
	dir := filepath.Join(h.dir, "profiles", "work")
	done := make(chan error)
	const n = 30
	for range 2 {
		go func() {
			v, err := h.tryOpen("work")
			for i := 0; err == nil && i < n; i++ {
				err = v.Update(context.Background(), func(tx *Tx) error {
					b, err := tx.Get("count")
					if err != nil && !errors.Is(err, ErrNotFound) {
						return err
					}
					now, _ := strconv.Atoi(string(b))
					return tx.Put("count", []byte(strconv.Itoa(now+1)))
				})
			}
			done <- err
		}()
	}
	for range 3 {
		if err := h.keeper().Change(context.Background(), Change{To: Place{Mode: ModeLocalKey}, Reseal: true}); err != nil {
			t.Error(err)
		}
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got, err := get(h.open(t, "work"), "count"); got != strconv.Itoa(2*n) || err != nil {
		t.Errorf("%s of %d updates are stored: %v, in %s", got, 2*n, err, dir)
	}
}

// After resealing, no record is under the old data key, its audit key is kept, and
// another master key opens nothing.
func TestResealReplacesDataKey(t *testing.T) {
	h := newTestHome(t)
	v := h.open(t, "work")
	kid, audit := v.keys.Load().kid, v.DeriveKey("audit")
	if err := h.keeper().Change(context.Background(), Change{To: Place{Mode: ModeLocalKey}, Reseal: true}); err != nil {
		t.Fatal(err)
	}
	v = h.open(t, "work")
	rawUpdate(t, v, func(tx storeTx) error {
		return tx.list("", func(key string, sealed []byte) error {
			e, err := decodeEnvelope(sealed)
			if err == nil && e.KID == kid {
				t.Errorf("record %s is under the old data key", key)
			}
			return err
		})
	})
	err := v.View(context.Background(), func(tx *Tx) error {
		keys, err := tx.RetiredKeys("audit")
		if len(keys) != 1 || string(keys[0]) != string(audit) || string(v.DeriveKey("audit")) == string(audit) {
			t.Errorf("%d retired audit keys, or a wrong one", len(keys))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := Open(filepath.Join(h.dir, "profiles", "work"), newMasterKey()); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another key: %v", err)
	}
}

func TestResealManyRecords(t *testing.T) {
	h := newTestHome(t)
	v := h.open(t, "work")
	for i := range 20 {
		err := v.Update(context.Background(), func(tx *Tx) error {
			for j := range 50 {
				if err := tx.Put(fmt.Sprint("many:", i, ":", j), []byte(strings.Repeat("m", 700))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := h.keeper().Change(context.Background(), Change{To: Place{Mode: ModeLocalKey}, Reseal: true}); err != nil {
		t.Fatal(err)
	}
	err := h.open(t, "work").View(context.Background(), func(tx *Tx) error {
		all, err := tx.List("many:")
		if len(all) != 1000 {
			t.Errorf("%d records", len(all))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
