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
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/ca"
)

// Environment describes the environment of a child.
type Environment struct {
	Parent []string // in the form of os.Environ
	Proxy  *url.URL // required; may contain the proxy's token as its user info
	Files  Files
	Home   string // the home that the proxy serves

	// Placeholders are the variables of connected providers, by name.
	Placeholders map[string]string

	// Hosts are intercepted, so NO_PROXY must not exclude them. A host that begins
	// with a dot means every name below it.
	Hosts []string
}

// ownSecrets are removed from the child's environment. SSLKEYLOGFILE would make
// clients write the TLS keys of their sessions to a file.
var ownSecrets = []string{"AUTHSOME_PROXY_TOKEN", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE", "SSLKEYLOGFILE"}

// proxyVariables are read by different clients: wget and gRPC read only the lower
// case, and Ruby uses http_proxy for https too.
var proxyVariables = []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "grpc_proxy"}

// bundleVariables replace a client's trusted roots, so they name the bundle, which
// contains the system's roots and the authority. Each was tested with its client.
var bundleVariables = []string{
	"SSL_CERT_FILE",                    // OpenSSL, Go, Python's ssl, Ruby, cargo
	"REQUESTS_CA_BUNDLE",               // Python requests, pip, boto3
	"CURL_CA_BUNDLE",                   // curl
	"GIT_SSL_CAINFO",                   // git with GnuTLS reads only this one
	"AWS_CA_BUNDLE",                    // AWS SDKs and CLI
	"PIP_CERT",                         // pip
	"CARGO_HTTP_CAINFO",                // cargo
	"NPM_CONFIG_CAFILE",                // npm
	"HTTPLIB2_CA_CERTS",                // Python httplib2
	"PERL_LWP_SSL_CA_FILE",             // Perl LWP
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", // gRPC in Python, C++ and others
}

// extraRootVariables add to a client's roots, so they name a file with the authority and
// the certificates that the parent had added.
var extraRootVariables = []string{"NODE_EXTRA_CA_CERTS", "DENO_CERT"}

// bundleVariablesIfSet also replace a client's roots, and a few clients prefer them
// to bundleVariables. They are changed to the bundle only if the parent has set them.
var bundleVariablesIfSet = []string{
	"NIX_SSL_CERT_FILE",                  // OpenSSL of nixpkgs; overrides SSL_CERT_FILE
	"HTTPS_CA_FILE",                      // Perl LWP
	"CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", // gcloud
}

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
	for _, name := range ownSecrets {
		delete(env, name)
	}
	maps.Copy(env, e.Placeholders) // first, so that a provider's definition cannot replace our own variables
	dropped := e.setProxy(env)
	e.setTrust(env)
	e.setJava(env)
	e.setMode(env)
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
	for _, local := range []string{"localhost", "127.0.0.1", "::1"} {
		if !slices.Contains(entries, local) {
			entries = append(entries, local)
		}
	}
	env["NO_PROXY"] = strings.Join(entries, ",")
	env["no_proxy"] = env["NO_PROXY"]
	if list, set := env["no_grpc_proxy"]; set { // gRPC reads it instead of no_proxy
		entries, more := e.noProxy(list)
		env["no_grpc_proxy"] = strings.Join(entries, ",")
		for _, d := range more {
			if !slices.Contains(dropped, d) {
				dropped = append(dropped, d)
			}
		}
	}
	env["NODE_USE_ENV_PROXY"] = "1" // Node 22.21 and 24 ignore proxies without it; Node 20 ignores proxies in any case
	env["NODE_OPTIONS"] = strings.TrimSpace(env["NODE_OPTIONS"] + " --require " + nodeQuote(e.Files.Node))
	env["PERL_LWP_ENV_PROXY"] = "1" // Perl LWP ignores proxies without it
	if e.Proxy.User != nil {
		env["GIT_HTTP_PROXY_AUTHMETHOD"] = "basic"
	}
	return dropped
}

func (e *Environment) setTrust(env map[string]string) {
	// npm ignores the case of its variables, and sets the lower-case ones for its scripts.
	maps.DeleteFunc(env, func(name, _ string) bool { return strings.EqualFold(name, "NPM_CONFIG_CAFILE") })
	for _, name := range bundleVariables {
		env[name] = e.Files.Bundle
	}
	for _, name := range bundleVariablesIfSet {
		if _, set := env[name]; set {
			env[name] = e.Files.Bundle
		}
	}
	for _, name := range extraRootVariables {
		env[name] = e.Files.Authority
	}
	// Clients would read this directory in addition to the bundle, which already
	// contains its certificates.
	delete(env, "SSL_CERT_DIR")
	env["WGETRC"] = e.Files.Wgetrc
	if e.Files.PHP != "" {
		// An empty element means the directory that PHP was built with.
		env["PHP_INI_SCAN_DIR"] += string(filepath.ListSeparator) + e.Files.PHP
	}
}

// setJava makes every JVM use the proxy, through the one variable that all of them
// read. Each JVM prints the variable on stderr, so this is done only on request.
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

// nonProxyHosts converts a NO_PROXY list for Java, which uses asterisks for
// subdomains and does not support networks.
func nonProxyHosts(list string) string {
	hosts := []string{"127.*", "[::1]"}
	for entry := range splitNoProxy(list) {
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

// javaQuote returns s as one word of JAVA_TOOL_OPTIONS.
func javaQuote(s string) string {
	if !strings.ContainsAny(s, " \t'") {
		return s
	}
	return `"` + s + `"`
}

// nodeQuote returns s as one word of NODE_OPTIONS.
func nodeQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
