// Package home is the directory that holds everything authsome keeps:
// AUTHSOME_HOME, by default ~/.authsome. It knows the layout, the version of the
// layout, config.json and the profiles.
//
//	version                   the layout's format, an integer
//	config.json, config.lock  [Config]
//	master.key, key.lock      the key of the vaults, see package vault
//	audit.log                 see package audit
//	providers/<name>.json     definitions the user registered
//	profiles/<name>/          one vault each, see [Profile]
//	logs/
//
// A home made by the Python authsome has the same layout and is used as it is:
// nothing in it is rewritten, and its store.db is not touched.
//
// The package reads and writes no secret, and does not look into the vaults. Its
// invariant: a home that [Open] returned belongs to the user of this process and
// is closed to everybody else, so that the modes of the files inside, which
// libraries choose, expose nothing.
package home

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/authsome/authsome/internal/durable"
)

// ErrNewer says that a later authsome made the home, in a format this one does
// not know.
var ErrNewer = errors.New("made by a newer authsome")

// Format is the version of the layout that new homes get. The Python authsome
// wrote 1 and later 2 for this same layout, so neither needs an upgrade.
const Format = 2

// AccessError refuses a directory that somebody else can reach or owns.
type AccessError struct {
	Path   string
	Reason string // "others can reach it (mode 0755)"
	Remedy string // the command that repairs it
}

func (e *AccessError) Error() string { return e.Path + ": " + e.Reason }

// Home is an opened home directory. Its methods are safe for concurrent use as
// long as nobody changes Config.
type Home struct {
	Dir    string // absolute
	Config Config
}

// DefaultDir is the directory that AUTHSOME_HOME names, or ~/.authsome.
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

// Open opens the home in dir, making whatever of it is missing. Several
// processes may do so at once. An empty directory becomes a home; one with
// something in it must already be closed to other users.
//
// Errors are an [*AccessError], [ErrNewer], or name the file that is wrong.
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

// secure makes the directory, or checks who can reach it.
func (h *Home) secure() error {
	switch err := os.Mkdir(h.Dir, 0o700); {
	case err == nil:
		return durable.SyncDir(filepath.Dir(h.Dir))
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(h.Dir, 0o700); err != nil {
			return fmt.Errorf("make home: %w", err)
		}
	case !errors.Is(err, os.ErrExist):
		return fmt.Errorf("make home: %w", err)
	}
	err := checkAccess(h.Dir)
	if _, refused := errors.AsType[*AccessError](err); !refused {
		return err
	}
	// What an empty directory held was never a secret, so it can be closed now:
	// mount points and directories made by hand are usually 0755.
	if entries, readErr := os.ReadDir(h.Dir); readErr != nil || len(entries) > 0 {
		return err
	}
	if os.Chmod(h.Dir, 0o700) != nil {
		return err
	}
	return checkAccess(h.Dir)
}

func (h *Home) checkVersion() error {
	path := filepath.Join(h.Dir, "version")
	if err := createFile(path, []byte(strconv.Itoa(Format)+"\n")); err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	format, err := strconv.Atoi(string(bytes.TrimSpace(data)))
	switch {
	case err != nil || format < 1:
		return fmt.Errorf("%s: not a version number; a sound home holds %d there", path, Format)
	case format > Format:
		return fmt.Errorf("%s: format %d, this authsome knows %d: %w", path, format, Format, ErrNewer)
	}
	return nil
}

// MasterKeyPath is where the master key is kept in the mode local_key.
func (h *Home) MasterKeyPath() string { return filepath.Join(h.Dir, "master.key") }

// AuditPath is the audit log.
func (h *Home) AuditPath() string { return filepath.Join(h.Dir, "audit.log") }

// ProvidersDir holds the definitions that the user registered.
func (h *Home) ProvidersDir() string { return filepath.Join(h.Dir, "providers") }

// LogPath is the log file used unless another one is asked for.
func (h *Home) LogPath() string { return filepath.Join(h.Dir, "logs", "authsome.log") }

func (h *Home) configPath() string  { return filepath.Join(h.Dir, "config.json") }
func (h *Home) profilesDir() string { return filepath.Join(h.Dir, "profiles") }
