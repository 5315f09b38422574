package pythonhome

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

type row struct{ key, value string }

// maxStore bounds each file of a database. Real ones have some kilobytes.
const maxStore = 256 << 20

// readRows reads the table of a database from a copy. SQLite opens a database
// that is in WAL mode only with files beside it that it may write; and told that
// the database is immutable, it does not see what the Python program has written
// last, which is in the WAL. The copy is encrypted as the original is.
func readRows(store string) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "authsome-import-") // 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "store.db")
	if err := copyDatabase(store, path); err != nil {
		return nil, err
	}
	db, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE)
	if err != nil {
		return nil, describe(err)
	}
	defer db.Close()
	// Nobody else has the copy, so that the WAL needs no shared memory.
	if err := db.Exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF"); err != nil {
		return nil, describe(err)
	}
	statement, _, err := db.Prepare("SELECT key, value FROM kv ORDER BY key")
	if err != nil {
		return nil, describe(err)
	}
	defer statement.Close()
	for statement.Step() {
		rows = append(rows, row{statement.ColumnText(0), statement.ColumnText(1)})
	}
	if err := statement.Err(); err != nil {
		return nil, describe(err)
	}
	return rows, nil
}

func describe(err error) error {
	if errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.CORRUPT) {
		return fmt.Errorf("not a database, or a damaged one: %w", err)
	}
	return err
}

// parts are the files of a database: itself, and what a program that is running,
// or was killed, has beside it.
var parts = []string{"", "-wal", "-journal"}

// copyTries is how often a database that changes meanwhile is read anew.
const copyTries = 50

// copyDatabase takes a consistent copy: all files are read twice, and it counts
// if they were the same both times.
func copyDatabase(from, to string) error {
	before, err := readParts(from)
	for range copyTries {
		if err != nil {
			return err
		}
		var after [][]byte
		if after, err = readParts(from); err == nil && same(before, after) {
			for i, part := range parts {
				if after[i] == nil {
					continue
				}
				if err := os.WriteFile(to+part, after[i], 0o600); err != nil {
					return err
				}
			}
			return nil
		}
		before = after
	}
	return errors.New("it is being written all the time; stop the Python authsome and try again")
}

func readParts(path string) ([][]byte, error) {
	var all [][]byte
	for i, part := range parts {
		b, err := readPart(path + part)
		if err != nil && !(i > 0 && errors.Is(err, os.ErrNotExist)) {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

func readPart(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxStore+1))
	if err == nil && len(b) > maxStore {
		err = fmt.Errorf("larger than %d MiB", maxStore>>20)
	}
	return b, err
}

func same(a, b [][]byte) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) || (a[i] == nil) != (b[i] == nil) {
			return false
		}
	}
	return true
}
