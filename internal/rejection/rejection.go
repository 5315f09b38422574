// Package rejection remembers which credentials their service has rejected with a 401,
// for commands and proxies of the same profile.
//
// Each rejected credential has one small file, which is replaced and removed as a whole,
// so that processes need no lock and a crash leaves no part of one. It is information
// for people: nothing depends on it, and it holds no secret. The invariant: a rejection
// is about one credential and never about the one that replaced it.
package rejection

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/authsome/authsome/internal/durable"
	"github.com/authsome/authsome/internal/regular"
)

// Store is the directory of a profile's rejections. It need not exist.
type Store struct{ Dir string }

// Credential names the credential of a connection.
type Credential struct {
	Provider   string
	Connection string
	Obtained   time.Time // when it was obtained; distinguishes it from the next one
}

// record is the content of a file.
type record struct {
	Since    time.Time `json:"since"`
	Obtained time.Time `json:"obtained"`
}

// maxRecord limits the size of a file, in bytes.
const maxRecord = 1 << 10

// path returns the file of a connection. Names cannot contain its separator unescaped.
func (s Store) path(c Credential) string {
	return filepath.Join(s.Dir, url.QueryEscape(c.Provider)+"="+url.QueryEscape(c.Connection)+".json")
}

// Since returns since when a credential is rejected, or the zero time if it is not, or
// if that is not known.
func (s Store) Since(c Credential) time.Time {
	data, err := regular.Read(s.path(c), maxRecord)
	if err != nil {
		return time.Time{}
	}
	var r record
	if json.Unmarshal(data, &r) != nil || !r.Obtained.Equal(c.Obtained) {
		return time.Time{}
	}
	return r.Since
}

// Put stores that a credential is rejected.
func (s Store) Put(c Credential, since time.Time) error {
	if err := os.Mkdir(s.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	data, err := json.Marshal(record{Since: since.UTC(), Obtained: c.Obtained.UTC()})
	if err != nil {
		return err
	}
	return durable.Replace(s.path(c), append(data, '\n'), 0o600)
}

// Remove stores that a credential is not rejected.
func (s Store) Remove(c Credential) error {
	if err := os.Remove(s.path(c)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Changed returns a time that differs after a file was added, replaced or removed.
func (s Store) Changed() time.Time {
	info, err := os.Stat(s.Dir)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
