package child

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/authsome/authsome/ca"
)

// AddJava adds support for Java: it writes the trust store, in PKCS #12, and the
// child's variables will make Java use the proxy.
func (f *Files) AddJava(trustStore []byte) error {
	f.Java = filepath.Join(f.dir, "truststore.p12")
	if err := os.WriteFile(f.Java, trustStore, 0o600); err != nil {
		return fmt.Errorf("write the settings of the command: %w", err)
	}
	return nil
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
