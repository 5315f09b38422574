package child

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

const (
	preloadDir    = "authsome" // in the user's cache directory
	preloadPrefix = "node-"
	preloadSuffix = ".cjs"
	// preloadAge is how long a script of another version is kept after its last use by a
	// run, for processes that outlive their run.
	preloadAge = 30 * 24 * time.Hour
)

// UseCache moves the scripts that clients load first to the user's cache directory, so
// that processes which outlive the run do not miss them when they start others. If
// another user could change something there, or it cannot be written, the scripts stay
// in the run's directory, and the error says why.
func (f *Files) UseCache(cache string) error {
	dir, err := privateDir(filepath.Join(cache, preloadDir))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s%x%s", preloadPrefix, sha256.Sum256(nodeScript), preloadSuffix))
	if err := storeScript(path, nodeScript); err != nil {
		return err
	}
	f.Node = path
	sweepScripts(dir, path)
	return nil
}

// privateDir creates a directory within the cache directory that only this user can
// access, and the cache directory, if they do not exist, and returns the path without
// symbolic links. It creates nothing above: a home that does not exist is meant not to.
// Under sudo with the home of another user, it fails before it leaves a directory of root
// there.
func privateDir(dir string) (string, error) {
	cache := filepath.Dir(dir)
	var existing string
	var err error
	for _, path := range []string{dir, cache, filepath.Dir(cache)} {
		if existing, err = filepath.EvalSymlinks(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return "", err
	}
	if err := checkParents(existing); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if !info.IsDir() || !ownedByUser(info) || !onlyForUser(info) {
		return "", notPrivate(dir, info)
	}
	return filepath.EvalSymlinks(dir)
}

// storeScript makes path a file with the content of script that only this user can
// access. Whatever else is there is replaced: a program of an earlier run may have
// changed it. Unlike durable.Replace, it does not keep the mode of what was there, and
// the file need not survive a crash.
func storeScript(path string, script []byte) error {
	now := time.Now()
	if sameScript(path, script) {
		return os.Chtimes(path, now, now) // sweepScripts of another version sees that it is used
	}
	f, err := os.CreateTemp(filepath.Dir(path), preloadPrefix+"*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(script)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func sameScript(path string, script []byte) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || !ownedByUser(info) || !onlyForUser(info) {
		return false
	}
	content, err := regular.Read(path, int64(len(script)))
	return err == nil && bytes.Equal(content, script)
}

// sweepScripts removes scripts that have not been used for long.
func sweepScripts(dir, current string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil || path == current || !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), preloadPrefix) {
			continue
		}
		if time.Since(info.ModTime()) > preloadAge {
			os.Remove(path)
		}
	}
}

// notPrivate is the error about a directory in which another user can replace files.
func notPrivate(dir string, info fs.FileInfo) error {
	return fmt.Errorf("%s (%v) is not safe from other users", dir, info.Mode())
}
