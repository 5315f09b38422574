package child

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/regular"
)

// curl and wget prefer the proxy and the roots in the user's file to those in the
// environment, so the child gets a copy without them.

// withoutSettings returns the text of a configuration file without the lines that set one
// of the names. name returns what a line sets.
func withoutSettings(text []byte, name func(line string) string, names ...string) []byte {
	var kept []string
	for line := range strings.Lines(string(text)) {
		if !slices.Contains(names, name(line)) {
			kept = append(kept, line)
		}
	}
	return []byte(strings.Join(kept, ""))
}

// wgetSetting returns the name that a line of a wgetrc sets, as wget reads it: without
// case, hyphens and underscores.
func wgetSetting(line string) string {
	name, _, _ := strings.Cut(line, "=")
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// curlSetting returns the option that a line of a curlrc sets: a long or a short name,
// and then a space, a colon, an equals sign or the value.
func curlSetting(line string) string {
	line = strings.TrimSpace(line)
	if short, ok := strings.CutPrefix(line, "-"); ok && !strings.HasPrefix(short, "-") && short != "" {
		return "-" + short[:1]
	}
	name := strings.TrimPrefix(line, "--")
	if end := strings.IndexAny(name, " \t:="); end >= 0 {
		name = name[:end]
	}
	return strings.ToLower(name)
}

// wgetProxies and curlProxies are the settings that would overrule the environment.
var (
	wgetProxies = []string{"httpproxy", "httpsproxy", "noproxy", "useproxy", "proxyuser", "proxypassword", "proxypasswd", "cacertificate", "cadirectory"}
	curlProxies = []string{"proxy", "-x", "noproxy", "preproxy", "socks4", "socks4a", "socks5", "socks5-hostname", "proxy-user", "-U", "cacert", "capath", "proxy1.0"}
)

// UserWgetrc returns the content of the wgetrc that wget would read, without what would
// overrule the proxy and its authority: the file that WGETRC names, or the one in the
// user's home. It returns nil if that cannot be read, which wget ignores too.
func UserWgetrc(getenv func(string) string) []byte {
	path := getenv("WGETRC")
	if home := getenv("HOME"); path == "" && home != "" {
		path = filepath.Join(home, ".wgetrc")
	}
	b, err := regular.Read(path, maxConfig)
	if err != nil {
		return nil
	}
	return withoutSettings(b, wgetSetting, wgetProxies...)
}

// UserCurlrc returns the user's curlrc without what would overrule the proxy and its
// authority, or nil if it has nothing of that.
func UserCurlrc(getenv func(string) string) []byte {
	for _, path := range []string{
		under(getenv("CURL_HOME"), ".curlrc"), under(getenv("XDG_CONFIG_HOME"), "curlrc"), under(getenv("HOME"), ".curlrc"), under(getenv("HOME"), ".config", "curlrc"),
	} {
		if b, err := regular.Read(path, maxConfig); err == nil {
			if kept := withoutSettings(b, curlSetting, curlProxies...); len(kept) < len(b) {
				return withNewline(kept)
			}
			return nil
		}
	}
	return nil
}

// under returns a path in a directory, or "" if there is none.
func under(dir string, names ...string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(append([]string{dir}, names...)...)
}

// AddCurl writes a curlrc for the child, which curl reads instead of the user's.
func (f *Files) AddCurl(curlrc []byte) error {
	f.Curl = filepath.Join(f.dir, "curl")
	return writeDirectory(f.Curl, map[string][]byte{".curlrc": curlrc})
}
