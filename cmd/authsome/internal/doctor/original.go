package doctor

import (
	"os"
	"path/filepath"
)

// originalAnswer has the members of --json that the Python authsome printed, so that
// scripts written for it work unchanged.
type originalAnswer struct {
	HomeExists    bool     `json:"home_exists"`
	VersionFile   bool     `json:"version_file"`
	ConfigFile    bool     `json:"config_file"`
	ProvidersDir  bool     `json:"providers_dir"`
	ProfilesDir   bool     `json:"profiles_dir"`
	Encryption    bool     `json:"encryption"` // the vault can be opened
	Store         bool     `json:"store"`      // the vault can be used; behind the proxy, as far as that is checked there
	ProviderCount int      `json:"providers_count"`
	ProfileCount  int      `json:"profiles_count"`
	Issues        []string `json:"issues"`
}

func (d *Doctor) original(all []finding) originalAnswer {
	v := originalAnswer{Issues: []string{}}
	probed := false
	for _, f := range all {
		if f.Status == statusProblem {
			v.Issues = append(v.Issues, f.Check+": "+f.Detail)
		}
		if f.Check == checkedVault {
			probed, v.Store = true, f.Status == statusOK
		}
	}
	if d.Client != nil {
		issues := v.Issues
		v = d.Client.served.Original
		v.Issues = issues
		return v
	}
	h, err := d.Opener.Home()
	if err != nil {
		return v
	}
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(h.Dir, name))
		return err == nil
	}
	v.HomeExists, v.VersionFile, v.ConfigFile = exists("."), exists("version"), exists("config.json")
	v.ProvidersDir, v.ProfilesDir = exists("providers"), exists("profiles")
	if p, err := d.Opener.Profile(); err == nil {
		_, err := p.Vault()
		v.Encryption = err == nil
		v.Store = v.Store || v.Encryption && !probed
	}
	if set, err := d.Opener.Providers(); err == nil {
		v.ProviderCount = len(set.All())
	}
	if names, err := h.Profiles(); err == nil {
		v.ProfileCount = len(names)
	}
	return v
}
