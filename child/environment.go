// Package child starts the process behind the proxy: it composes the environment
// that makes clients use the proxy and trust its authority, writes the files
// that some of them want, and passes signals and the exit code through.
//
// It knows nothing of proxying, providers or vaults. Its invariant: the child's
// environment holds placeholders where credentials would be, and none of
// authsome's own secrets.
package child

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// ModeVariable tells a child that it runs behind the proxy.
const ModeVariable = "AUTHSOME_PROXY_MODE"

// Environment is what a child's environment is composed of.
type Environment struct {
	Parent []string // as from os.Environ
	Proxy  *url.URL
	Files  Files

	// Placeholders replace the variables of routed connections.
	Placeholders map[string]string

	// Hosts have routes, which NO_PROXY must not hide. One that begins with a dot
	// stands for every name under it.
	Hosts []string
}

// Dropped is an inherited entry of NO_PROXY that would have hidden a route.
type Dropped struct{ Entry string }

func (d Dropped) String() string {
	return fmt.Sprintf("NO_PROXY entry %s would bypass the proxy for a connected provider; left out for the child", d.Entry)
}

// ownSecrets never reach a child. SSLKEYLOGFILE would have clients write down the
// keys of the sessions that carry its traffic.
var ownSecrets = []string{"AUTHSOME_PROXY_TOKEN", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE", "AUTHSOME_PASSPHRASE", "SSLKEYLOGFILE"}

// proxyVariables are read in these spellings by one client or another: wget and
// gRPC know the lower case only, Ruby takes http_proxy for https too.
var proxyVariables = []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "grpc_proxy"}

// bundleVariables replace a client's trusted roots, so they name the bundle with
// the system's roots and the authority. Each was tried with its client.
var bundleVariables = []string{
	"SSL_CERT_FILE",                    // OpenSSL, Go, Python's ssl, Ruby, cargo
	"REQUESTS_CA_BUNDLE",               // Python requests, pip, boto3
	"CURL_CA_BUNDLE",                   // curl
	"GIT_SSL_CAINFO",                   // git over GnuTLS obeys nothing else
	"AWS_CA_BUNDLE",                    // AWS SDKs and CLI
	"PIP_CERT",                         // pip
	"CARGO_HTTP_CAINFO",                // cargo
	"NPM_CONFIG_CAFILE",                // npm
	"HTTPLIB2_CA_CERTS",                // Python httplib2
	"PERL_LWP_SSL_CA_FILE",             // Perl LWP
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", // gRPC in Python, C++ and others
}

// addVariables add to a client's roots, so they name the authority alone (and
// what the parent had there).
var addVariables = []string{"NODE_EXTRA_CA_CERTS", "DENO_CERT"}

// Environ is the child's environment, and what the user should know about it.
func (e *Environment) Environ() ([]string, []Dropped) {
	env := make(map[string]string)
	for _, entry := range e.Parent {
		if name, value, ok := strings.Cut(entry, "="); ok && name != "" {
			if _, twice := env[name]; !twice {
				env[name] = value // as getenv: the first one counts
			}
		}
	}
	for _, name := range ownSecrets {
		delete(env, name)
	}
	noProxy, dropped := e.noProxy(env["NO_PROXY"], env["no_proxy"])
	env["NO_PROXY"], env["no_proxy"] = noProxy, noProxy
	for _, name := range proxyVariables {
		env[name] = e.Proxy.String()
	}
	for _, name := range bundleVariables {
		env[name] = e.Files.Bundle
	}
	for _, name := range addVariables {
		env[name] = e.Files.Authority
	}
	// A directory of certificates would be read beside the bundle, and holds the
	// system's roots, which are in it already.
	delete(env, "SSL_CERT_DIR")
	env["WGETRC"] = e.Files.Wgetrc
	env["NODE_USE_ENV_PROXY"] = "1" // Node 22.21 and 24 ignore proxies without it; Node 20 does not know it
	env["PERL_LWP_ENV_PROXY"] = "1" // LWP likewise
	if e.Proxy.User != nil {
		env["GIT_HTTP_PROXY_AUTHMETHOD"] = "basic"
	}
	env[ModeVariable] = "true"
	maps.Copy(env, e.Placeholders)
	all := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name])
	}
	return all, dropped
}

// noProxy merges what was inherited with the loopback addresses, without what
// hides a route. Clients read entries differently (example.com, .example.com,
// *.example.com, with ports, as networks); whatever one of them would take for a
// match is left out.
func (e *Environment) noProxy(inherited ...string) (string, []Dropped) {
	var entries []string
	var dropped []Dropped
	for _, list := range inherited {
		for entry := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			if slices.Contains(entries, entry) || slices.Contains(dropped, Dropped{entry}) {
				continue
			}
			if slices.ContainsFunc(e.Hosts, func(host string) bool { return hides(entry, host) }) || entry == "*" {
				dropped = append(dropped, Dropped{entry})
				continue
			}
			entries = append(entries, entry)
		}
	}
	for _, own := range []string{"localhost", "127.0.0.1", "::1"} {
		if !slices.Contains(entries, own) {
			entries = append(entries, own)
		}
	}
	return strings.Join(entries, ","), dropped
}

// hides reports whether some client would take entry to cover host. A host that
// begins with a dot stands for every name under it.
func hides(entry, host string) bool {
	entry = strings.ToLower(strings.TrimSuffix(entry, "."))
	if name, _, err := net.SplitHostPort(entry); err == nil {
		entry = name
	}
	if network, err := netip.ParsePrefix(entry); err == nil {
		ip, err := netip.ParseAddr(host)
		return err == nil && network.Contains(ip)
	}
	entry = strings.TrimPrefix(strings.TrimPrefix(entry, "*"), ".")
	if entry == "" {
		return true
	}
	bare := strings.TrimPrefix(host, ".")
	covered := bare == entry || strings.HasSuffix(bare, "."+entry)
	// An entry below a wildcard route hides some of its hosts.
	return covered || strings.HasPrefix(host, ".") && strings.HasSuffix(entry, host)
}
