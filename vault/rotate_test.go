package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/secret"
)

// testHome is a home directory as the program has one: what is noted of the key
// is in a file, and the profiles are directories.
type testHome struct {
	dir        string
	passphrase string
	key        *MasterKey // as prepared
}

func (h *testHome) keeper() *Keeper {
	note := filepath.Join(h.dir, "config.json")
	return &Keeper{
		Home:  h.dir,
		cheap: true,
		Places: func() (p Places, err error) {
			b, err := os.ReadFile(note)
			if errors.Is(err, fs.ErrNotExist) {
				return Places{Place: Place{Mode: ModeLocalKey}}, nil
			}
			if err == nil {
				err = json.Unmarshal(b, &p)
			}
			return p, err
		},
		Save: func(p Places) error {
			b, err := json.Marshal(p)
			if err != nil {
				return err
			}
			return durable.Replace(note, b, 0o600)
		},
		Vaults: func() ([]string, error) { return filepath.Glob(filepath.Join(h.dir, "profiles", "*")) },
		Passphrase: func(a Ask) (secret.String, error) {
			if h.passphrase == "" || a.Try > 0 {
				return secret.String{}, ErrNoPassphrase
			}
			return secret.New(h.passphrase), nil
		},
	}
}

func (h *testHome) open(t *testing.T, profile string) *Vault {
	t.Helper()
	v, err := h.tryOpen(profile)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *testHome) tryOpen(profile string) (*Vault, error) {
	m, err := h.keeper().Load()
	if err != nil {
		return nil, err
	}
	return Open(filepath.Join(h.dir, "profiles", profile), m)
}

var testProfiles = []string{"default", "work"}

// newTestHome has two profiles with some records each.
func newTestHome(t *testing.T) *testHome {
	t.Helper()
	h := &testHome{dir: t.TempDir()}
	for _, name := range testProfiles {
		if err := os.MkdirAll(filepath.Join(h.dir, "profiles", name), 0o700); err != nil {
			t.Fatal(err)
		}
		v := h.open(t, name)
		put(t, v, "a", "superseded")
		put(t, v, "a", "value of "+name)
		put(t, v, "b", strings.Repeat("b", 3000))
	}
	return h
}

// wantWhole checks that every profile's vault opens and holds what it held.
func (h *testHome) wantWhole(t *testing.T) {
	t.Helper()
	for _, name := range testProfiles {
		v := h.open(t, name)
		err := v.View(context.Background(), func(tx *Tx) error {
			all, err := tx.List("")
			all = slices.DeleteFunc(all, func(r Record) bool { return strings.HasPrefix(r.Key, retiredPrefix) })
			if err == nil && (len(all) != 2 || string(all[0].Value) != "value of "+name || len(all[1].Value) != 3000) {
				err = fmt.Errorf("%d records, or others", len(all))
			}
			return err
		})
		if err != nil {
			t.Fatalf("profile %s: %v", name, err)
		}
		if _, err := v.Generation(); err != nil {
			t.Fatalf("profile %s: %v", name, err)
		}
	}
}

// vaultFiles are all vault.json, by profile.
func (h *testHome) vaultFiles(t *testing.T) map[string]file {
	t.Helper()
	all := make(map[string]file)
	for _, name := range testProfiles {
		f, err := readFile(filepath.Join(h.dir, "profiles", name, "vault.json"))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = f
	}
	return all
}

// wantDone checks that nothing is left of a change: no second place, key or store.
func (h *testHome) wantDone(t *testing.T, old *MasterKey, before map[string]file, resealed bool) {
	t.Helper()
	p, err := h.keeper().Places()
	if err != nil || p.changing() {
		t.Errorf("still changing: %+v, %v", p, err)
	}
	for name, f := range h.vaultFiles(t) {
		if len(f.Keys) != 1 || (f.Keys[0].KID != before[name].Keys[0].KID) != resealed {
			t.Errorf("profile %s: keys %+v", name, f.Keys)
		}
		if _, err := old.unwrapAll(f, nil); !errors.Is(err, ErrWrongKey) {
			t.Errorf("profile %s under the old key: %v", name, err)
		}
		for _, left := range []string{"vault.new", "generation.new", "vault.json.new"} {
			if !missing(filepath.Join(h.dir, "profiles", name, left)) {
				t.Errorf("profile %s: %s is left", name, left)
			}
		}
	}
	for path, b := range filesIn(t, h.dir) {
		if strings.Contains(string(b), encodeForTest(old)) {
			t.Errorf("the old key is left in %s", path)
		}
		if strings.Contains(path, ".next") || strings.Contains(path, "master.key") && p.Mode == ModeKeyring {
			t.Errorf("%s is left", path)
		}
	}
}

// wantNoEntry checks that the keyring has lost the key of a place.
func wantNoEntry(t *testing.T, p Place) {
	t.Helper()
	if _, err := keyring.Get(keyringService, p.account()); p.Mode == ModeKeyring && !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("the keyring has the old key: %v", err)
	}
}

func encodeForTest(m *MasterKey) string {
	b, _ := json.Marshal([]byte(m.key.Reveal()))
	return strings.Trim(string(b), `"`)
}

// changes are the ways a key can be changed, each from the state that prepare
// makes. {dir} stands for the home.
var changes = map[string]struct {
	from, to Place
	reseal   bool
}{
	"rotate":                     {Place{Mode: ModeLocalKey}, Place{Mode: ModeLocalKey}, false},
	"rotate and reseal":          {Place{Mode: ModeLocalKey}, Place{Mode: ModeLocalKey}, true},
	"to a passphrase":            {Place{Mode: ModeLocalKey}, Place{Mode: ModePassphrase}, false},
	"from a passphrase":          {Place{Mode: ModePassphrase}, Place{Mode: ModeLocalKey}, false},
	"rotate under a passphrase":  {Place{Mode: ModePassphrase}, Place{Mode: ModePassphrase}, false},
	"to a file":                  {Place{Mode: ModeLocalKey}, Place{Mode: ModeFile, File: "{dir}/elsewhere/key"}, false},
	"to a file that is there":    {Place{Mode: ModeLocalKey}, Place{Mode: ModeFile, File: "{dir}/elsewhere/given"}, false},
	"from a file":                {Place{Mode: ModeFile, File: "{dir}/elsewhere/key"}, Place{Mode: ModeLocalKey}, false},
	"rotate in a file":           {Place{Mode: ModeFile, File: "{dir}/elsewhere/key"}, Place{Mode: ModeFile, File: "{dir}/elsewhere/key"}, false},
	"to the keyring":             {Place{Mode: ModeLocalKey}, Place{Mode: ModeKeyring}, false},
	"rotate in the keyring":      {Place{Mode: ModeKeyring}, Place{Mode: ModeKeyring}, false},
	"from keyring to passphrase": {Place{Mode: ModeKeyring}, Place{Mode: ModePassphrase}, false},
}

func in(dir string, p Place) Place {
	p.File = strings.ReplaceAll(p.File, "{dir}", dir)
	return p
}

// prepare brings a new home to where a change begins.
func prepare(t *testing.T, from Place) *testHome {
	t.Helper()
	keyring.MockInit()
	h := newTestHome(t)
	if err := os.Mkdir(filepath.Join(h.dir, "elsewhere"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "elsewhere", "given"), []byte("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	h.passphrase = "correct horse"
	if from.Mode != ModeLocalKey {
		c := Change{To: in(h.dir, from)}
		if from.Mode == ModePassphrase {
			c.Passphrase = secret.New(h.passphrase)
		}
		if err := h.keeper().Change(context.Background(), c); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if h.key, err = h.keeper().Load(); err != nil {
		t.Fatal(err)
	}
	return h
}

// clone is a copy of a prepared home, which is much faster than another one.
func (h *testHome) clone(t *testing.T) *testHome {
	t.Helper()
	c := &testHome{dir: t.TempDir(), passphrase: h.passphrase}
	if out, err := exec.Command("cp", "-a", h.dir+"/.", c.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p, err := c.keeper().Places()
	if err != nil {
		t.Fatal(err)
	}
	p.File = strings.Replace(p.File, h.dir, c.dir, 1)
	if err := c.keeper().Save(p); err != nil {
		t.Fatal(err)
	}
	if p.Mode == ModeKeyring { // a copy before took the entry away
		if err := keyringStore(p.account(), h.key); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (h *testHome) change(name string) Change {
	c := changes[name]
	change := Change{To: in(h.dir, c.to), Reseal: c.reseal}
	if c.to.Mode == ModePassphrase && c.from.Mode != ModePassphrase {
		change.Passphrase = secret.New(h.passphrase)
	}
	return change
}

// Every change, whole.
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
			h.wantWhole(t)
			if c.from.Mode == ModeFile && c.to.Mode != ModeFile {
				os.Remove(in(h.dir, c.from).File) // the user's, and told to
			}
			h.wantDone(t, old, before, c.reseal)
			wantNoEntry(t, from.Place)
			if p, _ := h.keeper().Places(); p.Mode != c.to.Mode || p.Changed.IsZero() {
				t.Errorf("noted: %+v", p)
			}
		})
	}
}

var errStopped = errors.New("stopped here")

// A change is interrupted after each of its steps in turn: every vault opens
// then, new profiles can be made, and the change is completed by the next
// attempt at anything.
func TestInterruptedChange(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			prepared := prepare(t, c.from)
			for stop := 1; ; stop++ {
				h, old := prepared.clone(t), prepared.key
				from, err := h.keeper().Places()
				if err != nil {
					t.Fatal(err)
				}
				before := h.vaultFiles(t)
				k, n, at := h.keeper(), 0, ""
				k.after = func(step string) error {
					if n++; n == stop {
						at = step
						return errStopped
					}
					return nil
				}
				err = k.Change(context.Background(), h.change(name))
				if at == "" {
					if err != nil || stop < 6 {
						t.Fatalf("after %d steps: %v", n, err)
					}
					return
				}
				if !errors.Is(err, errStopped) {
					t.Fatalf("stopped at step %d, %s: %v", stop, at, err)
				}
				if stop%2 == 0 { // with and without being looked at in between
					h.wantWhole(t)
				}
				if err := h.keeper().Resume(context.Background()); err != nil {
					t.Fatalf("resumed after step %d, %s: %v", stop, at, err)
				}
				h.wantWhole(t)
				if at == "note the next place" && !strings.HasSuffix(name, "there") {
					continue // no key was made yet: the change did not happen
				}
				if c.from.Mode == ModeFile && c.to.Mode != ModeFile {
					os.Remove(in(h.dir, c.from).File)
				}
				h.wantDone(t, old, before, c.reseal)
				wantNoEntry(t, from.Place)
				if t.Failed() {
					t.Fatalf("after step %d, %s", stop, at)
				}
			}
		})
	}
}

// The same with a process that is killed, for the change that writes most.
func TestKilledChange(t *testing.T) {
	for _, name := range []string{"rotate and reseal"} {
		t.Run(name, func(t *testing.T) {
			prepared := prepare(t, changes[name].from)
			for stop := 1; ; stop++ {
				h, old := prepared.clone(t), prepared.key
				before := h.vaultFiles(t)
				cmd := process(t, "change", h.dir)
				cmd.Env = append(cmd.Env, "VAULT_TEST_CHANGE="+name, "VAULT_TEST_STOP="+strconv.Itoa(stop))
				out, err := cmd.CombinedOutput()
				if err == nil {
					if stop < 6 {
						t.Fatalf("it ended after fewer than %d steps: %s", stop, out)
					}
					return
				}
				if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
					t.Fatalf("step %d: %v: %s", stop, err, out)
				}
				h.wantWhole(t)
				if err := h.keeper().Change(context.Background(), h.change(name)); err != nil {
					t.Fatalf("tried again after step %d: %v", stop, err)
				}
				h.wantWhole(t)
				h.wantDone(t, old, before, true)
				if t.Failed() {
					t.Fatalf("after step %d", stop)
				}
			}
		})
	}
}

// changeAndDie is a process that kills itself after a step of a change.
func changeAndDie(dir string) {
	h := &testHome{dir: dir, passphrase: "correct horse"}
	stop, _ := strconv.Atoi(os.Getenv("VAULT_TEST_STOP"))
	k, n := h.keeper(), 0
	k.after = func(string) error {
		if n++; n == stop {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	if err := k.Change(context.Background(), h.change(os.Getenv("VAULT_TEST_CHANGE"))); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// A process that has a vault open goes on reading and writing through rotations
// and resealing, and what it derives for others follows.
func TestOpenVaultFollows(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			h := prepare(t, c.from)
			v, other := h.open(t, "work"), h.open(t, "default")
			derived := string(v.DeriveKey("x"))
			k := h.keeper()
			k.after = func(step string) error {
				if _, err := other.Generation(); err != nil {
					return fmt.Errorf("after %s: %w", step, err)
				}
				return nil
			}
			if err := k.Change(context.Background(), h.change(name)); err != nil {
				t.Fatal(err)
			}
			h.passphrase = "" // nobody is there to be asked again
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
			if (string(v.DeriveKey("x")) != derived) != c.reseal {
				t.Error("derived keys")
			}
		})
	}
}

// A vault that was opened with a key from ReadKey goes on after a rotation that
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

// Writers that run all through rotations with resealing lose nothing.
func TestChangeAmongWriters(t *testing.T) {
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
		t.Errorf("%s updates of %d are there: %v, in %s", got, 2*n, err, dir)
	}
}

// What was superseded before is in no file after resealing, under any key, and a
// wrong key opens nothing.
func TestResealLeavesNothingOld(t *testing.T) {
	h := newTestHome(t)
	v := h.open(t, "work")
	kid, audit := v.keys.Load().kid, v.DeriveKey("audit")
	if err := h.keeper().Change(context.Background(), Change{To: Place{Mode: ModeLocalKey}, Reseal: true}); err != nil {
		t.Fatal(err)
	}
	v = h.open(t, "work")
	raw(t, v, func(tx storeTx) error {
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
			t.Errorf("%d keys of the audit log before", len(keys))
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

// Thousands of records need more than one transaction.
func TestResealMany(t *testing.T) {
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

// filesIn are the contents of all files below a directory, by path.
func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		all[path], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
