package vault

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/secret"
)

// testHome is a home directory like the program's: a file has the recorded places
// of the key, and each profile has a directory.
type testHome struct {
	dir        string
	passphrase string
	key        *MasterKey // before the change that a test makes
}

func (h *testHome) keeper() *Keeper {
	config := filepath.Join(h.dir, "config.json")
	return &Keeper{
		Home:     h.dir,
		cheapKDF: true,
		Places: func() (p Places, err error) {
			b, err := os.ReadFile(config)
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
			return durable.Replace(config, b, 0o600)
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

// newTestHome creates a home with two profiles, each with two records.
func newTestHome(t *testing.T) *testHome {
	t.Helper()
	h := &testHome{dir: t.TempDir()}
	for _, name := range testProfiles {
		if err := os.MkdirAll(filepath.Join(h.dir, "profiles", name), 0o700); err != nil {
			t.Fatal(err)
		}
		v := h.open(t, name)
		put(t, v, "a", "replaced")
		put(t, v, "a", "value of "+name)
		put(t, v, "b", strings.Repeat("b", 3000))
	}
	return h
}

// wantRecords checks that every profile's vault opens and has its records.
func (h *testHome) wantRecords(t *testing.T) {
	t.Helper()
	for _, name := range testProfiles {
		v := h.open(t, name)
		err := v.View(context.Background(), func(tx *Tx) error {
			all, err := tx.List("")
			all = slices.DeleteFunc(all, func(r Record) bool { return strings.HasPrefix(r.Key, retiredPrefix) })
			if err == nil && (len(all) != 2 || string(all[0].Value) != "value of "+name || len(all[1].Value) != 3000) {
				err = fmt.Errorf("%d records, or wrong values", len(all))
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

// vaultFiles returns every vault.json, by profile.
func (h *testHome) vaultFiles(t *testing.T) map[string]vaultFile {
	t.Helper()
	all := make(map[string]vaultFile)
	for _, name := range testProfiles {
		f, err := readVaultFile(filepath.Join(h.dir, "profiles", name, "vault.json"))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = f
	}
	return all
}

// wantDone checks that a change left nothing: no second place, no old key, no old
// store.
func (h *testHome) wantDone(t *testing.T, old *MasterKey, before map[string]vaultFile, resealed bool) {
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
			t.Errorf("profile %s with the old key: %v", name, err)
		}
		for _, left := range []string{"vault.new", "generation.new", "vault.json.new"} {
			if !missing(filepath.Join(h.dir, "profiles", name, left)) {
				t.Errorf("profile %s: %s is left", name, left)
			}
		}
	}
	for path, b := range contents(t, h.dir) {
		if strings.Contains(string(b), encodedKeyOf(old)) {
			t.Errorf("%s has the old key", path)
		}
		if strings.Contains(path, ".next") || strings.Contains(path, "master.key") && p.Mode == ModeKeyring {
			t.Errorf("%s is left", path)
		}
	}
}

// wantNoEntry checks that the keyring does not have the key of a place.
func wantNoEntry(t *testing.T, p Place) {
	t.Helper()
	if _, err := keyring.Get(keyringService, p.account()); p.Mode == ModeKeyring && !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("the keyring has the old key: %v", err)
	}
}

func encodedKeyOf(m *MasterKey) string {
	return base64.StdEncoding.EncodeToString([]byte(m.key.Reveal()))
}

// changes are the ways to change a key. prepare creates the state before each.
// {dir} is the home.
var changes = map[string]struct {
	from, to Place
	reseal   bool
}{
	"rotate":                     {Place{Mode: ModeLocalKey}, Place{Mode: ModeLocalKey}, false},
	"rotate and reseal":          {Place{Mode: ModeLocalKey}, Place{Mode: ModeLocalKey}, true},
	"to a passphrase":            {Place{Mode: ModeLocalKey}, Place{Mode: ModePassphrase}, false},
	"from a passphrase":          {Place{Mode: ModePassphrase}, Place{Mode: ModeLocalKey}, false},
	"rotate with a passphrase":   {Place{Mode: ModePassphrase}, Place{Mode: ModePassphrase}, false},
	"to a file":                  {Place{Mode: ModeLocalKey}, Place{Mode: ModeFile, File: "{dir}/elsewhere/key"}, false},
	"to an existing file":        {Place{Mode: ModeLocalKey}, Place{Mode: ModeFile, File: "{dir}/elsewhere/given"}, false},
	"from a file":                {Place{Mode: ModeFile, File: "{dir}/elsewhere/key"}, Place{Mode: ModeLocalKey}, false},
	"rotate in a file":           {Place{Mode: ModeFile, File: "{dir}/elsewhere/key"}, Place{Mode: ModeFile, File: "{dir}/elsewhere/key"}, false},
	"to the keyring":             {Place{Mode: ModeLocalKey}, Place{Mode: ModeKeyring}, false},
	"rotate in the keyring":      {Place{Mode: ModeKeyring}, Place{Mode: ModeKeyring}, false},
	"from keyring to passphrase": {Place{Mode: ModeKeyring}, Place{Mode: ModePassphrase}, false},
}

// placeIn replaces {dir} in the place's file.
func placeIn(dir string, p Place) Place {
	p.File = strings.ReplaceAll(p.File, "{dir}", dir)
	return p
}

// prepare creates a home whose key is at the place.
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
		c := Change{To: placeIn(h.dir, from)}
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

// clone copies a prepared home. That is much faster than preparing another one.
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
	if p.Mode == ModeKeyring { // the change of an earlier copy deleted the entry
		if err := keyringStore(p.account(), h.key); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (h *testHome) change(name string) Change {
	c := changes[name]
	change := Change{To: placeIn(h.dir, c.to), Reseal: c.reseal}
	if c.to.Mode == ModePassphrase && c.from.Mode != ModePassphrase {
		change.Passphrase = secret.New(h.passphrase)
	}
	return change
}
