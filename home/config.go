package home

import (
	"errors"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/renameio/v2/maybe"
)

const defaultProfile = "default"

// What happens to requests while the audit log cannot be written.
const (
	AuditContinue = "continue" // they go on, and the failure is reported
	AuditRefuse   = "refuse"   // they are refused
)

// Config is config.json. Members it does not know are kept when it is saved.
type Config struct {
	SpecVersion    int            `json:"spec_version"`
	DefaultProfile string         `json:"default_profile"`
	Encryption     Encryption     `json:"encryption"`
	Audit          Audit          `json:"audit,omitzero"`
	Unknown        jsontext.Value `json:",embed"`
}

// Encryption says where the master key is kept: local_key, the file master.key,
// unless another mode is named.
type Encryption struct {
	Mode    string         `json:"mode"`
	Unknown jsontext.Value `json:",embed"`
}

// Audit chooses between [AuditContinue], which is meant by "", and [AuditRefuse].
type Audit struct {
	OnFailure string         `json:"on_failure,omitzero"`
	Unknown   jsontext.Value `json:",embed"`
}

// IsZero reports whether there is nothing to write.
func (a Audit) IsZero() bool { return a.OnFailure == "" && len(a.Unknown) == 0 }

func newConfig() Config {
	return Config{SpecVersion: 1, DefaultProfile: defaultProfile, Encryption: Encryption{Mode: "local_key"}}
}

// loadConfig reads config.json, which it makes if it is absent. Members that
// are missing or null have their defaults.
func loadConfig(path string) (Config, error) {
	data, err := newConfig().encode()
	if err != nil {
		return Config{}, err
	}
	if err := createFile(path, data); err != nil {
		return Config{}, err
	}
	if data, err = os.ReadFile(path); err != nil {
		return Config{}, fmt.Errorf("home: %w", err)
	}
	c, err := parseConfig(data)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(data []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(data, &c); err != nil {
		if wrong, ok := errors.AsType[*json.SemanticError](err); ok && wrong.JSONPointer != "" {
			return Config{}, fmt.Errorf("%s: %w", wrong.JSONPointer, err)
		}
		return Config{}, err
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

func (c Config) check() error {
	if err := ValidateName(c.DefaultProfile); err != nil {
		return fmt.Errorf("default_profile: %w", err)
	}
	switch c.Audit.OnFailure {
	case "", AuditContinue, AuditRefuse:
		return nil
	}
	return fmt.Errorf("audit.on_failure: %q is neither %s nor %s", c.Audit.OnFailure, AuditContinue, AuditRefuse)
}

func (c Config) encode() ([]byte, error) {
	data, err := json.Marshal(c, jsontext.WithIndent("  "))
	if err != nil {
		return nil, fmt.Errorf("encode config.json: %w", err)
	}
	return append(data, '\n'), nil
}

// SaveConfig replaces config.json with Config, atomically. The last of several
// processes that save at once wins.
func (h *Home) SaveConfig() error {
	if err := h.Config.check(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	data, err := h.Config.encode()
	if err != nil {
		return err
	}
	if err := maybe.WriteFile(h.configPath(), data, 0o600); err != nil {
		return fmt.Errorf("save config: %w", err)
	}
	return syncDir(h.Dir)
}
