package pythonhome

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/authsome/authsome/internal/regular"

	"github.com/ncruces/go-sqlite3"
)

type row struct{ key, value string }

// maxStore is the maximum size of each file of a database, in bytes. Real ones have a
// few kilobytes.
const maxStore = 256 << 20

// readRows reads the table of a database from a copy. SQLite can open a database in
// WAL mode only if it may write files next to it. If it opens the database as
// immutable, it ignores the WAL, which contains the last changes of the Python
// program. The values in the copy are encrypted, as in the original.
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
	// No other process uses the copy, so SQLite does not need shared memory for the WAL.
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

// describe explains that a file is not a usable database.
func describe(err error) error {
	if errors.Is(err, sqlite3.NOTADB) || errors.Is(err, sqlite3.CORRUPT) {
		return fmt.Errorf("not a database, or damaged: %w", err)
	}
	return err
}

// parts are the suffixes of the files of a database. A program that is running or was
// killed leaves the last two.
var parts = []string{"", "-wal", "-journal"}

// copyTries is how often a database is read again that changes during the copy.
const copyTries = 50

// copyDatabase makes a consistent copy: it reads all files until two successive reads
// are equal.
func copyDatabase(from, to string) error {
	before, err := readParts(from)
	for range copyTries {
		if err != nil {
			return err
		}
		var after [][]byte
		if after, err = readParts(from); err == nil && slices.EqualFunc(before, after, sameFile) {
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
	return errors.New("the database keeps changing; stop the Python authsome and try again")
}

// readParts reads the files of a database. A file that does not exist is nil.
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
	return regular.Read(path, maxStore)
}

// sameFile compares the content of two files, of which nil means that it does not
// exist.
func sameFile(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
