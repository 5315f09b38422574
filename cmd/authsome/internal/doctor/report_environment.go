package doctor

import (
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// variable is an environment variable that is set. Value is empty unless it is harmless.
type variable struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// The variables that a report names. Others are only counted.
var (
	// harmlessVariables are shown with their values.
	harmlessVariables = []string{
		"AUTHSOME_PROXY_MODE", "CI", "COLORTERM", "COLUMNS", "GITHUB_ACTIONS", "GITLAB_CI", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "LANG", "LC_ALL",
		"LC_CTYPE", "NO_COLOR", "TERM", "TZ",
	}
	// proxyVariables are shown as a kind of proxy.
	proxyVariables = []string{"ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy", "https_proxy"}
	// namedVariables are shown without their values.
	namedVariables = []string{
		"AUTHSOME_HOME", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE", "AUTHSOME_PROFILE", "AUTHSOME_PROXY_TOKEN", "AUTHSOME_RUN_HOMES",
		"AWS_CA_BUNDLE", "BROWSER", "CURL_CA_BUNDLE", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "GIT_SSL_CAINFO", "HOME", "NODE_EXTRA_CA_CERTS",
		"NODE_OPTIONS", "NO_PROXY", "REQUESTS_CA_BUNDLE", "SSH_CONNECTION", "SSH_TTY", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "WAYLAND_DISPLAY",
		"WSL_DISTRO_NAME", "XDG_RUNTIME_DIR", "no_proxy",
	}
)

// environment returns the variables that matter, sorted, and how many others are set.
func environment(r *redactor, definitions []*providers.Definition) (all []variable, others int) {
	ofClients := make(map[string]bool)
	for _, p := range definitions {
		for _, v := range p.Variables() {
			ofClients[v.Name] = ofClients[v.Name] || p.Source == providers.Bundled
		}
	}
	all = []variable{}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case slices.Contains(harmlessVariables, name):
			all = append(all, variable{name, r.text(value)})
		case slices.Contains(proxyVariables, name):
			all = append(all, variable{name, proxyKind(value)})
		case slices.Contains(namedVariables, name), ofClients[name]:
			all = append(all, variable{Name: name})
		default:
			others++
		}
	}
	slices.SortFunc(all, func(a, b variable) int { return strings.Compare(a.Name, b.Name) })
	return all, others
}

// proxyKind says what kind of proxy a variable names, without its host.
func proxyKind(value string) string {
	if value == "" {
		return "empty"
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" {
		if u, err = url.Parse("http://" + value); err != nil || u.Host == "" {
			return "not the URL of a proxy"
		}
	}
	kind := u.Scheme + " proxy"
	if u.Port() != "" {
		kind += ", port " + u.Port()
	}
	if u.User != nil {
		kind += ", with credentials"
	}
	return kind
}
