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

	"github.com/gofrs/flock"
)

// Files are the files that a child's variables name, in a directory of their own
// that ends with the run.
type Files struct {
	Bundle    string // the roots that the parent trusts, and the authority
	Authority string // the authority, and what the parent had added
	Wgetrc    string
	Node      string // the script that Node loads first
	Java      string // a trust store; empty where Java was not asked for
	PHP       string // a directory of settings; likewise

	dir  string
	lock *flock.Flock
}

const (
	filesPrefix = "authsome-run-"
	lockName    = "lock"
	// sweepAge spares a directory that another run is making at this moment: it is
	// there for an instant before its lock is held.
	sweepAge = time.Minute
)

//go:embed node.cjs
var nodeScript []byte

// WriteFiles writes the files for one child into a new directory below tmp. The
// bundle and the authority are PEM; wgetrc is the user's own, which the child's
// replaces. Directories of runs that were killed are swept away first.
func WriteFiles(tmp string, bundle, authority, wgetrc []byte) (f Files, err error) {
	sweep(tmp)
	if f.dir, err = os.MkdirTemp(tmp, filesPrefix); err != nil { // 0700
		return Files{}, fmt.Errorf("make the run's directory: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			f = Files{}
		}
	}()
	// The lock says that this run lives, and goes with its process.
	f.lock = flock.New(filepath.Join(f.dir, lockName), flock.SetPermissions(0o600))
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
			return f, fmt.Errorf("write for the child: %w", err)
		}
	}
	return f, nil
}

// AddJava writes a trust store for Java. With it, the child's variables make Java
// use the proxy.
func (f *Files) AddJava(trustStore []byte) error {
	f.Java = filepath.Join(f.dir, "truststore.p12")
	if err := os.WriteFile(f.Java, trustStore, 0o600); err != nil {
		return fmt.Errorf("write for the child: %w", err)
	}
	return nil
}

// AddPHP writes settings that make PHP trust the bundle.
func (f *Files) AddPHP() error {
	f.PHP = filepath.Join(f.dir, "php")
	if err := os.Mkdir(f.PHP, 0o700); err != nil {
		return fmt.Errorf("write for the child: %w", err)
	}
	settings := fmt.Sprintf("curl.cainfo = %q\nopenssl.cafile = %[1]q\n", f.Bundle)
	if err := os.WriteFile(filepath.Join(f.PHP, "authsome.ini"), []byte(settings), 0o600); err != nil {
		return fmt.Errorf("write for the child: %w", err)
	}
	return nil
}

func withNewline(b []byte) []byte {
	if len(b) > 0 && b[len(b)-1] != '\n' {
		return append(b, '\n')
	}
	return b
}

// Close removes the directory.
func (f Files) Close() error {
	var err error
	if f.dir != "" {
		err = os.RemoveAll(f.dir)
	}
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

// sweep removes the directories whose process is gone. It is a courtesy: what it
// cannot remove stays for the system's own cleaning. Below a shared directory
// others may use the same names, so only this user's own are looked into.
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
		lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
		if locked, err := lock.TryLock(); err == nil && locked {
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}

// UserWgetrc is the wgetrc that wget would have read: the one WGETRC names, or
// the one in the user's home. It is empty where there is none; wget goes on
// without one, too.
func UserWgetrc(getenv func(string) string) []byte {
	path := getenv("WGETRC")
	if home := getenv("HOME"); path == "" && home != "" {
		path = filepath.Join(home, ".wgetrc")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return b
}
