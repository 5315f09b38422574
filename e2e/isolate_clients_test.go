package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
)

// alsoIsolated are clients of the matrix that run in a fence in addition to all those that
// bypass the proxy without one.
var alsoIsolated = []string{
	"Command_line/curl,_HTTP/1.1", "Command_line/curl,_HTTP/2", "Command_line/wget", "Command_line/git_clone", "Package_managers/npm_install",
	"Go/gorilla/websocket", "Go/grpc-go", "Go/AWS_SDK,_Bedrock",
	"Python/httpx", "Python/grpcio",
	"Node/fetch/Node_18", "Node/fetch/Node_20", "Node/fetch/Node_24", "Node/http2/Node_18", "Node/http2/Node_20", "Node/ws/Node_20", "Node/WebSocket/Node_22",
	"Node/gRPC_(@grpc/grpc-js)/Node_18", "Node/AWS_SDK,_Bedrock/Node_20",
	"Bun_and_Deno/fetch/Bun", "Bun_and_Deno/fetch/Deno", "Bun_and_Deno/WebSocket/Deno",
	"Ruby/net/http", "Perl/LWP", "Perl/HTTP::Tiny",
}

// proxySettings are the variables with which authsome makes programs use the proxy.
var proxySettings = []string{
	"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "grpc_proxy", "ws_proxy", "wss_proxy",
	"npm_config_proxy", "npm_config_https_proxy", "npm_config_noproxy", "PERL_LWP_ENV_PROXY", "MOJO_PROXY", "NODE_OPTIONS", "AUTHSOME_PROXY_MODE",
}

// withoutProxy is a command whose environment says nothing of a proxy.
func withoutProxy(argv ...string) []string {
	all := []string{"env"}
	for _, name := range proxySettings {
		all = append(all, "-u", name)
	}
	return append(all, argv...)
}

// ownWay makes a client use what its language has in place of settings: in Go its own
// resolver, and what makes it trust the authority of the run in Java, and in Debian's
// urllib3.
func ownWay(c *client) {
	switch {
	case c.group == "Go":
		c.env = append(slices.Clone(c.env), "GODEBUG=netdns=go")
	case c.group == "Java":
		const script = `keytool -importcert -noprompt -file "$NODE_EXTRA_CA_CERTS" -keystore trust -storepass changeit 2>/dev/null
program=$1; shift; exec "$program" -Djavax.net.ssl.trustStore=trust -Djavax.net.ssl.trustStorePassword=changeit "$@"`
		c.argv = append([]string{"sh", "-euc", script, "sh"}, c.argv...)
	case c.name == "urllib3":
		const program = "import os, urllib3; print(urllib3.PoolManager(ca_certs=os.environ['SSL_CERT_FILE']).request('GET', '" + routeURL + "').data.decode())"
		c.argv = []string{"/usr/bin/python3", "-c", program}
	}
}

// staticProgram is built from runtimes/client.c once. It loads no library that could be
// replaced.
var staticProgram = sync.OnceValue(func() string {
	path := filepath.Join(built, "static-client")
	build := exec.Command("gcc", "-static", "-O1", "-w", "-o", path, "runtimes/client.c", "-lssl", "-lcrypto")
	if out, err := build.CombinedOutput(); err != nil { // the linker warns about getaddrinfo
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	return path
})

// isolatedClients are the clients of TestIsolatedClients.
func isolatedClients(t *testing.T) []client {
	t.Helper()
	all := []client{
		client{group: "C", name: "static program with OpenSSL", argv: []string{staticProgram(), routeHost}}.complete(),
		client{group: "Environment", name: "nothing names the proxy", argv: []string{"sh", "-c", "env; curl -fsS " + routeURL}}.complete(),
	}
	found := 0
	for _, c := range matrix() {
		also := slices.Contains(alsoIsolated, c.String())
		if also {
			found++
		}
		if also || c.want == bypass {
			ownWay(&c)
			all = append(all, c)
		}
	}
	if found != len(alsoIsolated) {
		t.Errorf("the matrix has %d clients of alsoIsolated, which has %d", found, len(alsoIsolated))
	}
	return all
}

// TestIsolatedClients runs clients without any proxy setting in a fence, as a user
// without privileges. Each must be served like one that uses the proxy.
func TestIsolatedClients(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("run this as root: each client gets a network in which the real address is a trap")
	}
	homes := newHomes(t)
	for _, c := range isolatedClients(t) {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			c.argv = withoutProxy(c.argv...)
			r := c.try(t, homes.with(c.logins), userOf(testScripts), "--isolate")
			if got, why := r.outcome(c); got != ok {
				t.Errorf("%s:\n%s", got, why)
			}
			if c.group == "Environment" && regexp.MustCompile(`127\.0\.0\.1:[0-9]|--require`).MatchString(r.Output) {
				t.Errorf("the environment names the proxy:\n%s", r.Output)
			}
		})
	}
}

// TestIsolatedAgents gives one prompt to each agent of the matrix in a fence. They have
// the proxy settings.
func TestIsolatedAgents(t *testing.T) {
	homes := newHomes(t)
	for _, c := range agentClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c := c.complete()
			if got, why := c.try(t, homes.with(c.logins), userOf(testScripts), "--isolate").outcome(c); got != ok {
				t.Errorf("%s:\n%s", got, why)
			}
		})
	}
}
