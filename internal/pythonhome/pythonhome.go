// Package pythonhome reads the home of a Python authsome 0.2: the records of its
// SQLite vaults and the definitions its user registered. It decrypts nothing
// itself, stores nothing, and knows no provider.
//
// Its invariant: nothing in that home is changed, not even by the files that
// SQLite makes beside a database, whether or not the Python program is running.
package pythonhome

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/secret"
)

// Kinds of a [Record].
const (
	Connection = "connection"
	Client     = "client"
	Metadata   = "metadata"
	State      = "state"
)

// Record is one record of a profile's vault.
type Record struct {
	Profile  string
	Provider string
	Kind     string        // one of the constants
	Name     string        // of a connection
	Value    secret.String // a JSON object
	Err      error         // why there is no Value
}

// Definition is the file of a provider that was registered.
type Definition struct {
	Name string // the file's
	Data []byte
	Err  error // why there is no Data
}

// ErrNoHome says that there is no vault of the Python authsome.
var ErrNoHome = errors.New("no vault of the Python authsome (profiles/*/store.db)")

// Stores are the vaults in a home.
func Stores(dir string) ([]string, error) {
	profiles, err := os.ReadDir(filepath.Join(dir, "profiles"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for vaults: %w", err)
	}
	var stores []string
	for _, p := range profiles {
		path := filepath.Join(dir, "profiles", p.Name(), "store.db")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			stores = append(stores, path)
		}
	}
	return stores, nil
}

// Records reads one vault. What cannot be decrypted or understood is a record
// with an Err; rows that are nothing of authsome's are left out.
func Records(store string, decrypt func(string) ([]byte, error)) ([]Record, error) {
	rows, err := readRows(store)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", store, err)
	}
	var all []Record
	for _, row := range rows {
		r, ok := parseKey(row.key)
		if !ok {
			continue
		}
		plain, err := decrypt(row.value)
		if err == nil {
			plain, err = normalize(r, plain)
		}
		if err != nil {
			r.Err = err
		} else {
			r.Value = secret.New(string(plain))
		}
		all = append(all, r)
	}
	return all, nil
}

// parseKey reads profile:<profile>:<provider>:<kind>[:<name>].
func parseKey(key string) (Record, bool) {
	parts := strings.SplitN(key, ":", 5)
	if len(parts) < 4 || parts[0] != "profile" || parts[1] == "" || parts[2] == "" {
		return Record{}, false
	}
	r := Record{Profile: parts[1], Provider: parts[2], Kind: parts[3]}
	switch r.Kind {
	case Connection:
		if len(parts) < 5 || parts[4] == "" {
			return Record{}, false
		}
		r.Name = parts[4]
		return r, true
	case Client, Metadata, State:
		return r, len(parts) == 4
	}
	return Record{}, false
}

// maxDefinition bounds a definition that is read; packages that use it are
// stricter.
const maxDefinition = 1 << 20

// Definitions reads the definitions in a home, by name.
func Definitions(dir string) ([]Definition, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "providers", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("look for definitions: %w", err)
	}
	var all []Definition
	for _, path := range paths {
		d := Definition{Name: strings.TrimSuffix(filepath.Base(path), ".json")}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			d.Err = err
		case !info.Mode().IsRegular() || info.Size() > maxDefinition:
			d.Err = errors.New("not a definition")
		default:
			d.Data, d.Err = os.ReadFile(path)
		}
		all = append(all, d)
	}
	return all, nil
}

// DefaultConnection is the default that a record of kind Metadata names, or "".
func (r Record) DefaultConnection() string {
	var m struct {
		Default string `json:"default_connection"`
	}
	if r.Kind != Metadata || r.Err != nil || json.Unmarshal([]byte(r.Value.Reveal()), &m) != nil {
		return ""
	}
	return m.Default
}
