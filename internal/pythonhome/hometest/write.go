// Package hometest writes homes as the Python authsome 0.2.3 writes them under the
// umask 022: its files, their modes, its store and its encryption. All values are made up.
//
// It is for tests only, as net/http/httptest is.
package hometest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// Home is what is in a home in addition to what every home has.
type Home struct {
	Records     []Record
	Definitions map[string]string // files of providers/, by name without .json
}

// Record is one row of a profile's store.
type Record struct {
	Profile string
	Key     string // after the profile, such as github:connection:default
	Value   string // a JSON object
	Broken  bool   // the value cannot be decrypted
}

const (
	createdAt = "2026-01-02T03:04:05.678901Z"
	// The statement has the layout that sqlite_master shows in real stores.
	createTable = "CREATE TABLE IF NOT EXISTS kv (\n    key TEXT PRIMARY KEY,\n    value TEXT NOT NULL\n)"
)

// key is the master key of all homes.
var key = sha256.Sum256([]byte("made up"))

// Write creates the home in dir, which must not exist. The same home has the same content
// every time.
func (h Home) Write(dir string) error {
	files := map[string]string{
		"version":                        "2\n",
		"config.json":                    "{\n  \"spec_version\": 1,\n  \"default_profile\": \"default\",\n  \"encryption\": {\n    \"mode\": \"local_key\"\n  }\n}",
		"master.key":                     "{\n  \"version\": 1,\n  \"key\": \"" + base64.StdEncoding.EncodeToString(key[:]) + "\",\n  \"algorithm\": \"AES-256-GCM\",\n  \"note\": \"Local master key for authsome. Protect this file.\"\n}",
		"profiles/default/metadata.json": metadata("default", "Default local profile"),
	}
	for name, text := range h.Definitions {
		files["providers/"+name+".json"] = text
	}
	for _, r := range h.Records {
		files["profiles/"+r.Profile+"/lock"] = ""
		if r.Profile != "default" {
			files["profiles/"+r.Profile+"/metadata.json"] = metadata(r.Profile, "")
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "providers"), 0o755); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := h.writeStores(dir); err != nil {
		return err
	}
	return SetModes(dir)
}

func metadata(name, description string) string {
	text := "{\n  \"name\": \"" + name + "\",\n  \"created_at\": \"" + createdAt + "\",\n  \"updated_at\": \"" + createdAt + "\""
	if description != "" {
		text += ",\n  \"description\": \"" + description + "\""
	}
	return text + "\n}"
}

// SetModes gives a copy of a home, whose modes git does not keep, those that it had.
func SetModes(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		switch {
		case d.IsDir():
			mode = 0o755
		case d.Name() == "master.key":
			mode = 0o600
		}
		return os.Chmod(path, mode)
	})
}

func (h Home) writeStores(dir string) (err error) {
	stores := make(map[string]*sqlite3.Conn)
	defer func() {
		for _, db := range stores {
			if closed := db.Close(); err == nil {
				err = closed
			}
		}
	}()
	for _, r := range h.Records {
		db := stores[r.Profile]
		if db == nil {
			if db, err = sqlite3.Open(filepath.Join(dir, "profiles", r.Profile, "store.db")); err != nil {
				return err
			}
			stores[r.Profile] = db
			if err := db.Exec("PRAGMA journal_mode=WAL; " + createTable); err != nil {
				return err
			}
		}
		if err := r.insert(db); err != nil {
			return fmt.Errorf("%s: %w", r.Key, err)
		}
	}
	return nil
}

func (r Record) insert(db *sqlite3.Conn) error {
	row := "profile:" + r.Profile + ":" + r.Key
	sealed, err := seal(row, r.Value)
	if err != nil {
		return err
	}
	if r.Broken {
		sealed = sealed[:20] + "AAAA" + sealed[24:]
	}
	insert, _, err := db.Prepare("INSERT INTO kv VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	if err := insert.BindText(1, row); err != nil {
		return err
	}
	if err := insert.BindText(2, sealed); err != nil {
		return err
	}
	return insert.Exec()
}

// seal encrypts a value. The nonce depends on the row and the value, so that the same home
// has the same content every time.
func seal(row, value string) (string, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return "", err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return "", err
	}
	nonce := sha256.Sum256([]byte(row + "\n" + value))
	encode := base64.StdEncoding.EncodeToString
	return encode(nonce[:12]) + "." + encode(aead.Seal(nil, nonce[:12], []byte(value), nil)), nil
}
