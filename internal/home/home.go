// Package home manages the directory in which authsome stores everything:
// AUTHSOME_HOME, by default ~/.authsome. It knows the layout and its version,
// config.json and the profiles.
//
//	version                   the version of the layout, an integer
//	config.json, config.lock  [Config]
//	master.key, key.lock      the key of the vaults, see package vault
//	audit.log                 see package audit
//	providers/<name>.json     definitions that the user registered
//	backups/                  old content of the user's files, see [Home.SaveBackup]
//	profiles/<name>/          one vault each, see [Profile]; rejected/, see package rejection
//	runs/                     see package runs
//	logs/
//
// A home of the Python authsome has the same layout and is used as it is: its files
// are not rewritten, and its store.db is neither read nor changed.
//
// The package does not read or write secrets, and does not open the vaults. Its
// invariant: a home that [Open] has returned belongs to the user of this process, and
// other users cannot access it. So it does not matter which modes the files inside
// have, which other libraries create.
package home

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/authsome/authsome/internal/regular"

	"github.com/authsome/authsome/internal/durable"
)

// ErrNewer reports that a newer authsome created the home, in a format that this
// version does not support.
var ErrNewer = errors.New("written by a newer authsome")

// layoutVersion is the version of new homes. The Python authsome wrote 1 and later 2
// for the same layout, so neither needs an upgrade.
const layoutVersion = 2

// AccessError reports a directory that another user owns or can access.
type AccessError struct {
	Path   string
	Reason string   // such as "other users can access it (mode 0755)"
	Remedy []string // the command that fixes it, as words
}

func (e *AccessError) Error() string { return e.Path + ": " + e.Reason }

// Home is an opened home directory. Its methods are safe for concurrent use, unless
// Config is modified.
type Home struct {
	Dir    string // absolute
	Config Config // as it was when the home was opened
}

// DefaultDir returns the directory that AUTHSOME_HOME names, or ~/.authsome.
func DefaultDir(getenv func(string) string) (string, error) {
	if dir := getenv("AUTHSOME_HOME"); dir != "" {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return "", fmt.Errorf("AUTHSOME_HOME: %w", err)
		}
		return dir, nil
	}
	variable := "HOME"
	if runtime.GOOS == "windows" {
		variable = "USERPROFILE"
	}
	dir := getenv(variable)
	if !filepath.IsAbs(dir) {
		return "", fmt.Errorf("no home directory: set AUTHSOME_HOME or %s to an absolute path", variable)
	}
	return filepath.Join(dir, ".authsome"), nil
}

// Open opens the home in dir and creates the parts that do not exist. Several
// processes may do this at the same time. An empty directory becomes a home and is
// made inaccessible to other users; any other directory must already be so.
//
// The error is an [*AccessError], wraps [ErrNewer], or names the wrong file.
func Open(dir string) (*Home, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("home: %w", err)
	}
	h := &Home{Dir: dir}
	if err := h.secure(); err != nil {
		return nil, err
	}
	if err := h.checkVersion(); err != nil {
		return nil, err
	}
	if h.Config, err = loadConfig(h.configPath()); err != nil {
		return nil, err
	}
	for _, dir := range []string{h.ProvidersDir(), h.profilesDir(), filepath.Dir(h.LogPath())} {
		if err := makeDir(dir); err != nil {
			return nil, err
		}
	}
	if h.Config.DefaultProfile == defaultProfile {
		if _, err := h.EnsureProfile(defaultProfile); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Peek returns the home in dir without creating or changing anything, to read names from
// it. The error is [os.ErrNotExist] if it is not a home yet, or that of [Open].
func Peek(dir string) (*Home, error) {
	if _, err := os.Stat(filepath.Join(dir, "version")); err != nil {
		return nil, fmt.Errorf("home: %w", err)
	}
	if err := checkAccess(dir); err != nil {
		return nil, err
	}
	c, err := PeekConfig(dir)
	if err != nil {
		return nil, err
	}
	return &Home{Dir: dir, Config: c}, nil
}

// secure creates the directory, or checks that other users cannot access it.
func (h *Home) secure() error {
	switch err := os.Mkdir(h.Dir, 0o700); {
	case err == nil:
		return durable.SyncDir(filepath.Dir(h.Dir))
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(h.Dir, 0o700); err != nil {
			return fmt.Errorf("create home: %w", err)
		}
	case !errors.Is(err, os.ErrExist):
		return fmt.Errorf("create home: %w", err)
	}
	err := checkAccess(h.Dir)
	if _, refused := errors.AsType[*AccessError](err); !refused {
		return err
	}
	// An empty directory has not exposed anything, so its mode can be fixed. Mount
	// points and directories created by hand usually have mode 0755.
	if entries, readErr := os.ReadDir(h.Dir); readErr != nil || len(entries) > 0 {
		return err
	}
	if os.Chmod(h.Dir, 0o700) != nil {
		return err
	}
	return checkAccess(h.Dir)
}

// checkVersion creates the file version, or checks it.
func (h *Home) checkVersion() error {
	path := filepath.Join(h.Dir, "version")
	if err := createFile(path, []byte(strconv.Itoa(layoutVersion)+"\n")); err != nil {
		return err
	}
	data, err := regular.Read(path, maxFile)
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	version, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	switch {
	case err != nil || version < 1:
		return fmt.Errorf("%s: not a version number; it should contain %d", path, layoutVersion)
	case version > layoutVersion:
		return fmt.Errorf("%s: version %d, this authsome supports up to %d: %w", path, version, layoutVersion, ErrNewer)
	}
	return nil
}

// AuditPath returns the path of the audit log.
func (h *Home) AuditPath() string { return filepath.Join(h.Dir, "audit.log") }

// ProvidersDir returns the directory of the definitions that the user registered.
func (h *Home) ProvidersDir() string { return filepath.Join(h.Dir, "providers") }

// LogPath returns the path of the default log file.
func (h *Home) LogPath() string { return filepath.Join(h.Dir, "logs", "authsome.log") }

func (h *Home) configPath() string  { return filepath.Join(h.Dir, "config.json") }
func (h *Home) profilesDir() string { return filepath.Join(h.Dir, "profiles") }
