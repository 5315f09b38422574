package home

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/internal/bom"
	"github.com/authsome/authsome/internal/durable"
)

// lockPoll is the interval at which UpdateConfig tries to lock config.json.
const lockPoll = 2 * time.Millisecond

const defaultProfile = "default"

// maxFile limits the size of config.json and version, in bytes.
const maxFile = 1 << 20

// The values of [Audit.OnFailure]: what happens to requests that need a credential
// while the audit log cannot be written.
const (
	AuditContinue = "continue" // they continue, and the failure is reported
	AuditRefuse   = "refuse"   // they are refused
)

// The values of [Run.Isolate], which authsome run --isolate takes too.
const (
	IsolateOff      = "off"
	IsolateAuto     = "auto"     // if this machine can
	IsolateRequired = "required" // or the command does not start
)

// IsolateModes are all of them.
var IsolateModes = []string{IsolateOff, IsolateAuto, IsolateRequired}

// Config is the content of config.json. Unknown members are kept when it is saved; see
// [Config.UnknownMembers].
type Config struct {
	SpecVersion    int            `json:"spec_version"`
	DefaultProfile string         `json:"default_profile"`
	Encryption     Encryption     `json:"encryption"`
	Audit          Audit          `json:"audit,omitzero"`
	Run            Run            `json:"run,omitzero"`
	Unknown        jsontext.Value `json:",embed"`
}

// Encryption says where the master key is stored, and how far a change of the key has
// progressed. Package vault defines the meaning of the members.
type Encryption struct {
	KeyPlace
	Next      *KeyPlace      `json:"next,omitzero"`
	Reseal    bool           `json:"reseal,omitzero"`
	Previous  *KeyPlace      `json:"previous,omitzero"`
	ChangedAt time.Time      `json:"changed_at,omitzero"`
	Unknown   jsontext.Value `json:",embed"`
}

// KeyPlace says where a master key is stored.
type KeyPlace struct {
	Mode    string `json:"mode"`             // by default local_key, which is the file master.key
	Account string `json:"account,omitzero"` // the name of the entry in the system's keyring
	File    string `json:"file,omitzero"`
}

// Audit configures the audit log.
type Audit struct {
	OnFailure string         `json:"on_failure,omitzero"` // "" means [AuditContinue]
	Unknown   jsontext.Value `json:",embed"`
}

// IsZero reports whether a has no members; then config.json does not contain it.
func (a Audit) IsZero() bool { return a.OnFailure == "" && len(a.Unknown) == 0 }

// Run configures authsome run.
type Run struct {
	Isolate string         `json:"isolate,omitzero"` // "" means [IsolateOff]
	Unknown jsontext.Value `json:",embed"`
}

// IsZero reports whether r has no members; then config.json does not contain it.
func (r Run) IsZero() bool { return r.Isolate == "" && len(r.Unknown) == 0 }

func newConfig() Config {
	return Config{SpecVersion: 1, DefaultProfile: defaultProfile, Encryption: Encryption{KeyPlace: KeyPlace{Mode: "local_key"}}}
}

// loadConfig reads config.json, and creates it if it does not exist. Members that
// are missing or null have their default values.
func loadConfig(path string) (Config, error) {
	data, err := newConfig().encode()
	if err != nil {
		return Config{}, err
	}
	if err := createFile(path, data); err != nil {
		return Config{}, err
	}
	if data, err = regular.Read(path, maxFile); err != nil {
		return Config{}, fmt.Errorf("home: %w", err)
	}
	c, err := parseConfig(data)
	if err == nil {
		err = c.checkMembers()
	}
	if err != nil {
		return Config{}, &ConfigError{path, err.Error()}
	}
	return c, nil
}

func parseConfig(data []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(bom.Decode(data), &c); err != nil {
		return Config{}, jsonError(err)
	}
	defaults := newConfig()
	if c.SpecVersion == 0 {
		c.SpecVersion = defaults.SpecVersion
	}
	if c.DefaultProfile == "" {
		c.DefaultProfile = defaults.DefaultProfile
	}
	if c.Encryption.Mode == "" {
		c.Encryption.Mode = defaults.Encryption.Mode
	}
	return c, c.check()
}

// jsonError describes an error of the JSON package without the names of Go types.
func jsonError(err error) error {
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
		if wrong.JSONPointer == "" {
			return errors.New("not a JSON object")
		}
		return fmt.Errorf("%s has the wrong type or format", wrong.JSONPointer)
	}
	return fmt.Errorf("invalid JSON: %s", strings.TrimPrefix(err.Error(), "jsontext: "))
}

func (c Config) check() error {
	if err := ValidateName(c.DefaultProfile); err != nil {
		return fmt.Errorf("default_profile: %w", err)
	}
	switch c.Audit.OnFailure {
	case "", AuditContinue, AuditRefuse:
	default:
		return fmt.Errorf("audit.on_failure: %q is neither %s nor %s", c.Audit.OnFailure, AuditContinue, AuditRefuse)
	}
	if c.Run.Isolate != "" && !slices.Contains(IsolateModes, c.Run.Isolate) {
		return fmt.Errorf("run.isolate: %q is not one of %s", c.Run.Isolate, strings.Join(IsolateModes, ", "))
	}
	return nil
}

func (c Config) encode() ([]byte, error) {
	data, err := json.Marshal(c, jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("encode config.json: %w", err)
	}
	return append(data, '\n'), nil
}

// PeekConfig reads the config.json of a home without opening or changing the home. It
// returns the defaults if the file does not exist.
func PeekConfig(dir string) (Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := regular.Read(path, maxFile)
	if errors.Is(err, os.ErrNotExist) {
		return newConfig(), nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("home: %w", err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// ReadConfig reads config.json again: another process may have changed it since the
// home was opened.
func (h *Home) ReadConfig() (Config, error) { return loadConfig(h.configPath()) }

// UpdateConfig reads config.json again, changes it, and replaces it atomically. A lock
// ensures that concurrent updates are not lost. It does not change h.Config.
func (h *Home) UpdateConfig(ctx context.Context, change func(*Config)) error {
	lock, err := regular.Lock(filepath.Join(h.Dir, "config.lock"))
	if err != nil {
		return fmt.Errorf("lock config.json: %w", err)
	}
	defer lock.Close()
	if locked, err := lock.TryLockContext(ctx, lockPoll); !locked {
		return fmt.Errorf("lock config.json: %w", err)
	}
	c, err := h.ReadConfig()
	if err != nil {
		return err
	}
	change(&c)
	if err := c.check(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	data, err := c.encode()
	if err != nil {
		return err
	}
	if err := durable.Replace(h.configPath(), data, 0o600); err != nil {
		return fmt.Errorf("save config: %w", err)
	}
	return nil
}
