// Package child starts the process behind the proxy: it composes the environment
// that makes clients use the proxy and trust its authority, writes the files
// that some of them want, and passes signals and the exit code through.
//
// It knows nothing of proxying, providers or vaults. Its invariant: the child's
// environment holds placeholders where credentials would be, and none of
// authsome's own secrets.
package child

import (
	"maps"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/ca"
)

// ModeVariable tells a child that it runs behind the proxy.
const ModeVariable = "AUTHSOME_PROXY_MODE"

// Environment is what a child's environment is composed of.
type Environment struct {
	Parent []string // as from os.Environ
	Proxy  *url.URL // required; its user, if it has one, is the proxy's token
	Files  Files

	// Placeholders replace the variables of routed connections.
	Placeholders map[string]string

	// Hosts have routes, which NO_PROXY must not hide. One that begins with a dot
	// stands for every name under it.
	Hosts []string
}

// ownSecrets never reach a child. SSLKEYLOGFILE would have clients write down the
// keys of the sessions that carry its traffic.
var ownSecrets = []string{"AUTHSOME_PROXY_TOKEN", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE", "SSLKEYLOGFILE"}

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

// replacingWhereSet are read by a few clients before, or instead of, the ones
// above: whoever has set one means it, so the bundle takes its place.
var replacingWhereSet = []string{
	"NIX_SSL_CERT_FILE",                  // OpenSSL of nixpkgs, before SSL_CERT_FILE
	"HTTPS_CA_FILE",                      // Perl LWP
	"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", // gcloud
}

// Environ is the child's environment, each name once, and what the user should
// know about it.
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
	maps.Copy(env, e.Placeholders) // before ours: a definition cannot take those over
	dropped := e.setProxy(env)
	e.setTrust(env)
	e.setJava(env)
	env[ModeVariable] = "true"
	all := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name])
	}
	return all, dropped
}

func (e *Environment) setProxy(env map[string]string) []Dropped {
	for _, name := range proxyVariables {
		env[name] = e.Proxy.String()
	}
	entries, dropped := e.noProxy(env["NO_PROXY"], env["no_proxy"])
	for _, own := range []string{"localhost", "127.0.0.1", "::1"} {
		if !slices.Contains(entries, own) {
			entries = append(entries, own)
		}
	}
	env["NO_PROXY"] = strings.Join(entries, ",")
	env["no_proxy"] = env["NO_PROXY"]
	if list, set := env["no_grpc_proxy"]; set { // gRPC reads it in place of no_proxy
		entries, more := e.noProxy(list)
		env["no_grpc_proxy"] = strings.Join(entries, ",")
		for _, d := range more {
			if !slices.Contains(dropped, d) {
				dropped = append(dropped, d)
			}
		}
	}
	env["NODE_USE_ENV_PROXY"] = "1" // Node 22.21 and 24 ignore proxies without it; Node 20 does not know it
	env["NODE_OPTIONS"] = strings.TrimSpace(env["NODE_OPTIONS"] + " --require " + nodeQuote(e.Files.Node))
	env["PERL_LWP_ENV_PROXY"] = "1" // LWP likewise
	if e.Proxy.User != nil {
		env["GIT_HTTP_PROXY_AUTHMETHOD"] = "basic"
	}
	return dropped
}

func (e *Environment) setTrust(env map[string]string) {
	// npm reads its variables in any case, and sets the lower one for its scripts.
	maps.DeleteFunc(env, func(name, _ string) bool { return strings.EqualFold(name, "NPM_CONFIG_CAFILE") })
	for _, name := range bundleVariables {
		env[name] = e.Files.Bundle
	}
	for _, name := range replacingWhereSet {
		if _, set := env[name]; set {
			env[name] = e.Files.Bundle
		}
	}
	for _, name := range addVariables {
		env[name] = e.Files.Authority
	}
	// A directory of certificates would be read beside the bundle, which holds what
	// is in it already.
	delete(env, "SSL_CERT_DIR")
	env["WGETRC"] = e.Files.Wgetrc
	if e.Files.PHP != "" {
		// An empty part is the directory that PHP was built with.
		env["PHP_INI_SCAN_DIR"] += string(filepath.ListSeparator) + e.Files.PHP
	}
}

// setJava has every JVM use the proxy, by the one variable that all of them read.
// Each says so on stderr, so that this is done only where it was asked for.
func (e *Environment) setJava(env map[string]string) {
	if e.Files.Java == "" {
		return
	}
	options := []string{env["JAVA_TOOL_OPTIONS"]}
	for _, scheme := range []string{"http", "https"} {
		options = append(options, "-D"+scheme+".proxyHost="+e.Proxy.Hostname(), "-D"+scheme+".proxyPort="+e.Proxy.Port())
	}
	options = append(options,
		javaQuote("-Dhttp.nonProxyHosts="+nonProxyHosts(env["NO_PROXY"])),
		javaQuote("-Djavax.net.ssl.trustStore="+e.Files.Java), "-Djavax.net.ssl.trustStoreType=PKCS12", "-Djavax.net.ssl.trustStorePassword="+ca.TrustStorePassword)
	env["JAVA_TOOL_OPTIONS"] = strings.TrimSpace(strings.Join(options, " "))
}

// nonProxyHosts is a NO_PROXY list as Java has it: with asterisks, and without
// networks.
func nonProxyHosts(list string) string {
	hosts := []string{"127.*", "[::1]"}
	for entry := range entriesOf(list) {
		entry = strings.TrimPrefix(strings.TrimPrefix(entry, "*"), ".")
		if entry == "" || strings.ContainsAny(entry, `/:|"'`) {
			continue
		}
		hosts = append(hosts, entry)
		if _, err := netip.ParseAddr(entry); err != nil && strings.Contains(entry, ".") {
			hosts = append(hosts, "*."+entry)
		}
	}
	return strings.Join(hosts, "|")
}

// javaQuote is a text as one word of JAVA_TOOL_OPTIONS.
func javaQuote(s string) string {
	if !strings.ContainsAny(s, " \t'") {
		return s
	}
	return `"` + s + `"`
}

// nodeQuote is a text as one word of NODE_OPTIONS.
func nodeQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
