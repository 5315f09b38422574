package child

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"

	"github.com/gofrs/flock"
)

// Files are the files that a child's variables name, in a separate directory that
// exists as long as the run.
type Files struct {
	Bundle    string // the roots that the parent trusts, and the authority
	Authority string // the authority, and the certificates that the parent had added
	Wgetrc    string
	Curl      string // the directory of a curlrc; empty unless the user's has to be replaced
	Node      string // the script that Node loads first
	Java      string // a trust store; empty unless Java is supported
	PHP       string // a directory of settings; empty unless PHP is supported
	Python    string // a directory of modules; empty unless Python is supported

	dir  string
	lock *flock.Flock
	nss  *nssEntry // nil unless Chromium is supported
}

const (
	filesPrefix = "authsome-run-"
	lockName    = "lock"
	// sweepAge protects a directory that another run has just created and not
	// locked yet.
	sweepAge = time.Minute
)

// WriteFiles writes the files for one child into a new directory in tmp. bundle and
// authority are PEM; wgetrc is the user's file, which the child's wgetrc includes.
// WriteFiles first removes the directories of runs that were killed. The caller must
// call Close.
func WriteFiles(tmp string, bundle, authority, wgetrc []byte) (f Files, err error) {
	sweep(tmp)
	if f.dir, err = os.MkdirTemp(tmp, filesPrefix); err != nil { // 0700
		return Files{}, fmt.Errorf("create the run's directory: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			f = Files{}
		}
	}()
	// The lock shows that this run is alive. It ends with the process.
	if f.lock, err = regular.Lock(filepath.Join(f.dir, lockName)); err != nil {
		return f, fmt.Errorf("lock the run's directory: %w", err)
	}
	if locked, err := f.lock.TryLock(); err != nil || !locked {
		return f, fmt.Errorf("lock the run's directory: %w", cmp.Or(err, errors.New("it is in use")))
	}
	f.Bundle, f.Authority = filepath.Join(f.dir, "bundle.pem"), filepath.Join(f.dir, "authority.pem")
	f.Wgetrc, f.Node = filepath.Join(f.dir, "wgetrc"), filepath.Join(f.dir, "node.cjs")
	for path, data := range map[string][]byte{
		f.Bundle: bundle, f.Authority: authority, f.Node: nodeScript,
		f.Wgetrc: fmt.Appendf(withNewline(wgetrc), "ca_certificate = %s\n", f.Bundle),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return f, fmt.Errorf("write the settings of the command: %w", err)
		}
	}
	return f, nil
}

// writeDirectory creates a directory with files in the directory of the run.
func writeDirectory(dir string, files map[string][]byte) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("write the settings of the command: %w", err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("write the settings of the command: %w", err)
		}
	}
	return nil
}

func withNewline(b []byte) []byte {
	if len(b) > 0 && b[len(b)-1] != '\n' {
		return append(b, '\n')
	}
	return b
}

// Close removes the files and their directory.
func (f Files) Close() error {
	var err error
	if f.dir != "" {
		err = errors.Join(f.nss.remove(), os.RemoveAll(f.dir))
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

// sweep removes directories of runs whose process has ended. Errors are ignored: the
// system cleans up its temporary directory anyway. Other users may create the same
// names in a shared directory, so sweep only opens directories of this user.
func sweep(tmp string) {
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), filesPrefix) {
			continue
		}
		info, err := e.Info()
		if err != nil || !ownedByUser(info) || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		dir := filepath.Join(tmp, e.Name())
		lock, err := regular.Lock(filepath.Join(dir, lockName))
		if err != nil {
			continue
		}
		if locked, err := lock.TryLock(); err == nil && locked {
			readNSSEntry(dir).remove()
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}
