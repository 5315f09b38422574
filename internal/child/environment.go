// Package child runs a command whose clients use the proxy: it builds the
// environment that makes them use the proxy and trust its authority, writes the
// files that some of them need, and passes signals and the exit code on.
//
// It does not know the proxy, providers or vaults. Its invariant: the child's
// environment contains placeholders instead of credentials of connected providers,
// and no secrets of authsome itself.
package child

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Environment describes the environment of a child.
type Environment struct {
	Parent []string // in the form of os.Environ
	Proxy  *url.URL // required; may contain the proxy's token as its user info
	Files  Files
	Home   string // the home that the proxy serves

	Profile string // the profile of it that the proxy serves

	// Placeholders are the variables of connected providers, by name.
	Placeholders map[string]string

	// Configured is what the user's configuration says about proxies.
	Configured Configured

	// Unset are variables of the parent that the child does not get.
	Unset []string

	// Hosts are intercepted, so NO_PROXY must not exclude them. A host that begins
	// with a dot means every name below it.
	Hosts []string
}

// ownSecrets are removed from the child's environment. SSLKEYLOGFILE would make
// clients write the TLS keys of their sessions to a file.
var ownSecrets = []string{"AUTHSOME_PROXY_TOKEN", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE", "SSLKEYLOGFILE"}

// Environ returns the child's environment, with each name once, and the entries of
// NO_PROXY that it does not pass on.
func (e *Environment) Environ() ([]string, []Dropped) {
	env := make(map[string]string)
	for _, entry := range e.Parent {
		if name, value, ok := strings.Cut(entry, "="); ok && name != "" {
			if _, duplicate := env[name]; !duplicate {
				env[name] = value // the first one counts, as in getenv
			}
		}
	}
	for _, name := range slices.Concat(ownSecrets, e.Unset) {
		delete(env, name)
	}
	maps.Copy(env, e.Placeholders) // first, so that a provider's definition cannot replace our own variables
	dropped := e.setProxy(env)
	e.setTrust(env)
	e.setNode(env)
	e.setJava(env)
	e.setPHP(env)
	e.setPython(env)
	e.setMode(env)
	all := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name])
	}
	return all, dropped
}
