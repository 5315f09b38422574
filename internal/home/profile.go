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

// ErrNoProfile says that there is no profile of that name.
var ErrNoProfile = errors.New("no such profile")

// ErrProfileExists says that there is a profile of that name already.
var ErrProfileExists = errors.New("the profile exists")

// ErrDefaultProfile refuses to delete the profile that is used where none is
// named.
var ErrDefaultProfile = errors.New("it is the default profile")

// Profile is a namespace of connections: a directory with a vault of its own.
type Profile struct {
	Name string
	Dir  string
}

// AuthorityPath is the certificate of the profile's certificate authority.
func (p Profile) AuthorityPath() string { return filepath.Join(p.Dir, "ca.pem") }

// metadata is a profile's metadata.json: a note for people and other programs,
// which is written once and never read here.
type metadata struct {
	Name        string    `json:"name"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	Description string    `json:"description,omitzero"`
}

// Profiles lists the names of all profiles, sorted.
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

// Profile is the profile of that name, or [ErrNoProfile].
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

// EnsureProfile is the profile of that name, which it makes if it is missing.
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

// CreateProfile makes a profile, or fails with [ErrProfileExists].
func (h *Home) CreateProfile(name string) (Profile, error) {
	if _, err := h.Profile(name); err == nil {
		return Profile{}, fmt.Errorf("profile %s: %w", name, ErrProfileExists)
	} else if !errors.Is(err, ErrNoProfile) {
		return Profile{}, err
	}
	return h.EnsureProfile(name)
}

// deletedPrefix begins the names of profiles that are on their way out. It is no
// profile's, see [ValidateName].
const deletedPrefix = ".deleted-"

// DeleteProfile removes a profile with all it holds. It is gone at once, also if
// this process is killed: what is then left of it goes with the next profile that
// is deleted. The default profile cannot be deleted ([ErrDefaultProfile]).
func (h *Home) DeleteProfile(name string) error {
	p, err := h.Profile(name)
	if err != nil {
		return err
	}
	if name == h.Config.DefaultProfile {
		return fmt.Errorf("profile %s: %w", name, ErrDefaultProfile)
	}
	gone, err := os.MkdirTemp(h.profilesDir(), deletedPrefix+"*")
	if err != nil {
		return fmt.Errorf("delete profile %s: %w", name, err)
	}
	if err := os.Rename(p.Dir, filepath.Join(gone, name)); err != nil {
		return fmt.Errorf("delete profile %s: %w", name, err)
	}
	if err := durable.SyncDir(h.profilesDir()); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(h.profilesDir(), deletedPrefix+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return fmt.Errorf("delete profile %s: %w", name, err)
	}
	return nil
}

// ValidateName checks the name of a profile or a connection. It becomes a file
// name and a part of a record's key, so it holds neither separators nor ':', and
// starts with a letter or a digit.
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
