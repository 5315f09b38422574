// Package pythonhome reads the home of the Python authsome 0.2: the records in its
// SQLite vaults and the definitions that the user registered. The caller decrypts
// the records. The package does not store anything and does not know providers.
//
// Its invariant: it does not change that home and does not add files to it, such as
// those that SQLite creates next to a database, even while the Python program runs.
package pythonhome

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/authsome/authsome/internal/regular"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/secret"
)

// The kinds of a [Record].
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
	Kind     string        // Connection, Client, Metadata or State
	Name     string        // of a connection
	Value    secret.String // a JSON object
	Err      error         // the reason why Value is missing
}

// Definition is the file of a provider that the user registered.
type Definition struct {
	Name string // of the file, without .json
	Data []byte
	Err  error // the reason why Data is missing
}

// ErrNoHome reports that a directory does not contain a vault of the Python authsome.
var ErrNoHome = errors.New("no vault of the Python authsome (profiles/*/store.db)")

// Stores returns the paths of the vaults in a home.
func Stores(dir string) ([]string, error) {
	profiles, err := os.ReadDir(filepath.Join(dir, "profiles"))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find vaults: %w", err)
	}
	var stores []string
	for _, p := range profiles {
		path := filepath.Join(dir, "profiles", p.Name(), "store.db")
		if _, err := os.Stat(path); err == nil { // [Records] refuses what is not a file
			stores = append(stores, path)
		}
	}
	return stores, nil
}

// Records reads one vault. A record that cannot be decrypted or parsed has an Err.
// Rows that do not belong to authsome are ignored.
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

// parseKey parses profile:<profile>:<provider>:<kind>[:<name>].
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

// maxDefinition is the maximum size of a definition, in bytes. The importer of a
// definition has a lower limit.
const maxDefinition = 1 << 20

// Definitions reads the definitions in a home, sorted by name.
func Definitions(dir string) ([]Definition, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "providers", "*.json"))
	if err != nil {
		return nil, fmt.Errorf("find definitions: %w", err)
	}
	var all []Definition
	for _, path := range paths {
		d := Definition{Name: strings.TrimSuffix(filepath.Base(path), ".json")}
		d.Data, d.Err = regular.Read(path, maxDefinition)
		all = append(all, d)
	}
	return all, nil
}

// DefaultConnection returns the default connection that a record of kind Metadata
// names, or "".
func (r Record) DefaultConnection() string {
	var m struct {
		Default string `json:"default_connection"`
	}
	if r.Kind != Metadata || r.Err != nil || json.Unmarshal([]byte(r.Value.Reveal()), &m) != nil {
		return ""
	}
	return m.Default
}

// BaseURL returns the address of the instance that a record is for, or "".
func (r Record) BaseURL() string {
	var m struct {
		BaseURL string `json:"base_url"`
	}
	if r.Err != nil || json.Unmarshal([]byte(r.Value.Reveal()), &m) != nil {
		return ""
	}
	return m.BaseURL
}
