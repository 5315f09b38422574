package home

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/internal/durable"
)

// ErrNoProfile reports that a profile does not exist.
var ErrNoProfile = errors.New("no such profile")

// ErrProfileExists reports that a profile already exists.
var ErrProfileExists = errors.New("already exists")

// ErrDefaultProfile reports that the default profile cannot be deleted.
var ErrDefaultProfile = errors.New("the default profile cannot be deleted")

// Profile is a namespace of connections: a directory with a separate vault.
type Profile struct {
	Name string
	Dir  string
}

// AuthorityPath returns the path of the certificate of the profile's certificate
// authority.
func (p Profile) AuthorityPath() string { return filepath.Join(p.Dir, "ca.pem") }

// RejectedDir returns the path of the directory in which package rejection keeps what it
// knows about the profile's credentials.
func (p Profile) RejectedDir() string { return filepath.Join(p.Dir, "rejected") }

// metadata is the content of a profile's metadata.json. It is for people and other
// programs: authsome writes it once and does not read it.
type metadata struct {
	Name        string    `json:"name"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	Description string    `json:"description,omitzero"`
}

// Profiles returns the names of all profiles, sorted.
func (h *Home) Profiles() ([]string, error) {
	entries, err := os.ReadDir(h.profilesDir())
	if err != nil {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && ValidateName(e.Name()) == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Profile returns the profile with the given name, or [ErrNoProfile].
func (h *Home) Profile(name string) (Profile, error) {
	if err := ValidateName(name); err != nil {
		return Profile{}, err
	}
	p := Profile{Name: name, Dir: filepath.Join(h.profilesDir(), name)}
	switch info, err := os.Stat(p.Dir); {
	case errors.Is(err, os.ErrNotExist):
		return Profile{}, fmt.Errorf("profile %s: %w", name, ErrNoProfile)
	case err != nil:
		return Profile{}, fmt.Errorf("profile %s: %w", name, err)
	case !info.IsDir():
		return Profile{}, fmt.Errorf("profile %s: %s is not a directory", name, p.Dir)
	}
	return p, nil
}

// EnsureProfile returns the profile with the given name, and creates it if it does
// not exist.
func (h *Home) EnsureProfile(name string) (Profile, error) {
	if err := ValidateName(name); err != nil {
		return Profile{}, err
	}
	p := Profile{Name: name, Dir: filepath.Join(h.profilesDir(), name)}
	if err := makeDir(p.Dir); err != nil {
		return Profile{}, err
	}
	now := time.Now().UTC().Truncate(time.Second)
	data, err := json.Marshal(metadata{Name: name, CreatedAt: now, UpdatedAt: now}, jsontext.WithIndent("  "))
	if err != nil {
		return Profile{}, fmt.Errorf("profile %s: %w", name, err)
	}
	if err := createFile(filepath.Join(p.Dir, "metadata.json"), append(data, '\n')); err != nil {
		return Profile{}, err
	}
	return h.Profile(name)
}

// CreateProfile creates a profile. If it exists, the error is [ErrProfileExists].
func (h *Home) CreateProfile(name string) (Profile, error) {
	if _, err := h.Profile(name); err == nil {
		return Profile{}, fmt.Errorf("profile %s: %w", name, ErrProfileExists)
	} else if !errors.Is(err, ErrNoProfile) {
		return Profile{}, err
	}
	return h.EnsureProfile(name)
}

// deletedPrefix is the prefix of directories that hold a deleted profile until it is
// removed. [ValidateName] does not allow it in the name of a profile.
const deletedPrefix = ".deleted-"

// DeleteProfile deletes a profile with all its content. The profile disappears
// atomically; if the process is killed before all its files are removed, the next
// DeleteProfile removes the rest. For the default profile, the error is
// [ErrDefaultProfile].
func (h *Home) DeleteProfile(name string) error {
	p, err := h.Profile(name)
	if err != nil {
		return err
	}
	if name == h.Config.DefaultProfile {
		return fmt.Errorf("profile %s: %w", name, ErrDefaultProfile)
	}
	trash, err := os.MkdirTemp(h.profilesDir(), deletedPrefix+"*")
	if err != nil {
		return fmt.Errorf("delete profile %s: %w", name, err)
	}
	if err := os.Rename(p.Dir, filepath.Join(trash, name)); err != nil {
		return fmt.Errorf("delete profile %s: %w", name, err)
	}
	if err := durable.SyncDir(h.profilesDir()); err != nil {
		return err
	}
	deleted, err := filepath.Glob(filepath.Join(h.profilesDir(), deletedPrefix+"*"))
	for _, dir := range deleted {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return fmt.Errorf("delete profile %s: %w", name, err)
	}
	return nil
}

// ValidateName checks the name of a profile or a connection. Names are used as file
// names and in the keys of records, so they must not contain separators or ':', and
// must start with a letter or a digit.
func ValidateName(s string) error {
	valid := len(s) >= 1 && len(s) <= 64
	for i := 0; i < len(s) && valid; i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.' || c == '_' || c == '-':
			valid = i > 0
		default:
			valid = false
		}
	}
	if !valid {
		return fmt.Errorf("%.80q is not a valid name: use up to 64 letters, digits, '.', '_' and '-', and start with a letter or a digit", s)
	}
	return nil
}
