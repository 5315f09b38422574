package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/rogpeppe/go-internal/testscript"
)

// pythonhome DIR FILE: creates a home of a Python authsome 0.2. FILE has a line for each
// record: profile, key and JSON, with spaces between them. A record whose JSON is
// "broken" cannot be decrypted.
func makePythonHome(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pythonhome DIR FILE")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Join(dir, "providers"), 0o700))
	ts.Check(os.MkdirAll(filepath.Join(dir, "profiles"), 0o700))
	ts.Check(os.Chmod(dir, 0o700))
	raw := make([]byte, 32)
	rand.Read(raw)
	ts.Check(os.WriteFile(filepath.Join(dir, "version"), []byte("1\n"), 0o600))
	ts.Check(os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"spec_version": 1, "default_profile": "default", "encryption": {"mode": "local_key"}}`+"\n"), 0o600))
	ts.Check(os.WriteFile(filepath.Join(dir, "master.key"), []byte(`{
  "version": 1,
  "key": "`+base64.StdEncoding.EncodeToString(raw)+`",
  "algorithm": "AES-256-GCM",
  "note": "Local master key for authsome. Protect this file."
}`), 0o600))
	block, err := aes.NewCipher(raw)
	ts.Check(err)
	aead, err := cipher.NewGCM(block)
	ts.Check(err)
	stores := make(map[string]*sqlite3.Conn)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		profile, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, text, _ := strings.Cut(rest, " ")
		db := stores[profile]
		if db == nil {
			ts.Check(os.MkdirAll(filepath.Join(dir, "profiles", profile), 0o700))
			db, err = sqlite3.Open(filepath.Join(dir, "profiles", profile, "store.db"))
			ts.Check(err)
			defer db.Close()
			ts.Check(db.Exec("PRAGMA journal_mode=WAL; CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL)"))
			stores[profile] = db
		}
		nonce := make([]byte, 12)
		rand.Read(nonce)
		sealed := base64.StdEncoding.EncodeToString(nonce) + "." + base64.StdEncoding.EncodeToString(aead.Seal(nil, nonce, []byte(text), nil))
		if text == "broken" {
			sealed = sealed[:20] + "AAAA" + sealed[24:]
		}
		insert, _, err := db.Prepare("INSERT INTO kv VALUES (?, ?)")
		ts.Check(err)
		ts.Check(insert.BindText(1, "profile:"+profile+":"+key))
		ts.Check(insert.BindText(2, sealed))
		ts.Check(insert.Exec())
		ts.Check(insert.Close())
	}
}

// unchanged DIR [remember]: with remember, it saves what the directory contains.
// Without, it checks that the content, the modes and the times are still the same.
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	var now strings.Builder
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		now.WriteString(path + " " + info.Mode().String() + " " + info.ModTime().String() + "\n")
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			now.Write(b)
			return err
		}
		return nil
	}))
	note := dir + ".note"
	if len(args) > 1 {
		ts.Check(os.WriteFile(note, []byte(now.String()), 0o600))
		return
	}
	if (ts.ReadFile(note) == now.String()) == neg {
		ts.Fatalf("%s: changed %v", dir, !neg)
	}
}

// backup FILE WANT [N]: the home has a backup of FILE, or the Nth one, with the content of
// WANT, which only the user can read.
func dotenvBackup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: backup FILE WANT [N]")
	}
	name := strings.ReplaceAll(ts.MkAbs(args[0]), "/", "%")
	if len(args) > 2 {
		name += "." + args[2]
	}
	path := filepath.Join(ts.Getenv("AUTHSOME_HOME"), "backups", name)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		ts.Fatalf("%v, %v", info, err)
	}
	if ts.ReadFile(path) != ts.ReadFile(args[1]) {
		ts.Fatalf("%s differs from %s", path, args[1])
	}
}
