package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// getNoName requests the page with openssl, which does not send a server name, from an
// address.
func getNoName(address string) string {
	return fmt.Sprintf(`printf 'GET /x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' | openssl s_client -quiet -noservername -verify_return_error -CAfile "$SSL_CERT_FILE" -connect %s`, routeHost, address)
}

// TestIsolatedAddresses checks that the server name in TLS decides which host a client
// reaches, whatever address it connects to.
func TestIsolatedAddresses(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	const lookUp = "getent hosts "
	stale := strings.Fields(r.isolate(lookUp + routeHost).out)[0]
	for _, tt := range []struct{ name, script string }{
		{"curl --resolve", "curl -fsS --resolve " + routeHost + ":443:10.1.2.3 " + routeURL},
		{"DNS over HTTPS", "curl -fsS --doh-url https://" + otherHost + "/dns-query -w ' at %{remote_ip}' " + routeURL},
		{"address of an earlier run, which another name has now", lookUp + "another.test; curl -fsS --resolve " + routeHost + ":443:" + stale + " " + routeURL},
		{"literal IPv4 address", "curl -fsS --connect-to " + routeHost + ":443:203.0.113.7:443 " + routeURL},
		{"literal IPv6 address", "curl -fsS --connect-to '" + routeHost + ":443:[2001:db8::7]:443' " + routeURL},
		{"loopback", "curl -fsS --connect-to '" + routeHost + ":443:[::1]:443' " + routeURL},
		{"address from DNS, no server name", getNoName(routeHost + ":443")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			i := r.isolate(tt.script)
			if tt.name != "DNS over HTTPS" {
				r.wantServed(i)
				return
			}
			if !strings.Contains(i.out, "hello from "+routeHost+" at "+realAddress) {
				t.Errorf("%s%s", i.out, i.report)
			}
			for _, a := range r.arrivals() {
				if a.Authorized != (a.Path == "/x") {
					t.Errorf("arrived: %+v", a)
				}
			}
		})
	}
	// The kind of question that Boost.Asio and others ask.
	t.Run("look-up for IPv4, if the machine has an address", func(t *testing.T) {
		r.t = t
		if i := r.isolate("getent ahostsv4 " + routeHost); !strings.HasPrefix(i.out, "198.18.0.") {
			t.Errorf("exit %d: %s", i.exit, i.out)
		}
	})
	t.Run("literal address, no server name", func(t *testing.T) {
		r.t = t
		i := r.isolate(getNoName("203.0.113.9:443"))
		if i.exit == 0 || !strings.Contains(i.out, "unrecognized name") {
			t.Errorf("exit %d: %s", i.exit, i.out)
		}
		if want := "authsome: blocked: 1 connection to 203.0.113.9:443; allow with --allow-tcp 203.0.113.9:443\n"; !strings.HasSuffix(i.report, want) {
			t.Errorf("the report is %s", i.report)
		}
		if all := r.arrivals(); len(all) > 0 {
			t.Errorf("arrived: %+v", all)
		}
	})
}

// TestIsolatedPorts checks which ports are captured: those of web servers, and those of
// definitions.
func TestIsolatedPorts(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	r.authsome(`{"schema_version":2,"name":"ported","flows":["api_key"],"hosts":["`+routeHost+`:8443"],"inject":[{"in":"header","name":"Authorization","value":"Bearer {api_key}"}]}`, "register", "-", "--yes")
	r.authsome(r.key, "login", "ported", "--key-stdin", "--no-verify")
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "plain %s %s", r.Host, r.Header.Get("Authorization"))
	}))
	defer plain.Close()
	toPlain := "--connect-to=" + otherHost + ":80:" + strings.TrimPrefix(plain.URL, "http://")
	t.Run("intercepted host on port 80", func(t *testing.T) {
		r.t = t
		i := r.isolate("curl -sSi http://" + routeHost + "/x")
		if !strings.Contains(i.out, "X-Authsome-Error: https_required\r\n") {
			t.Errorf("%s", i.out)
		}
		if all := r.arrivals(); len(all) > 0 {
			t.Errorf("arrived: %+v", all)
		}
	})
	t.Run("another host on port 80", func(t *testing.T) {
		r.t = t
		if i := r.isolate("curl -sS -H 'Authorization: mine' http://"+otherHost+"/x", toPlain); i.out != "plain "+otherHost+" mine" {
			t.Errorf("%s%s", i.out, i.report)
		}
	})
	t.Run("port of a definition", func(t *testing.T) {
		r.t = t
		_, port, _ := net.SplitHostPort(r.tls)
		r.wantServed(r.isolate("curl -fsS https://"+routeHost+":8443/x", "--connect-to="+routeHost+":8443:127.0.0.1:"+port))
	})
	t.Run("another port", func(t *testing.T) {
		r.t = t
		i := r.isolate("curl -sS https://" + routeHost + ":8444/x")
		if i.exit != 7 || !strings.HasSuffix(i.report, "authsome: blocked: 1 connection to "+routeHost+":8444; allow with --allow-tcp "+routeHost+":8444\n") {
			t.Errorf("exit %d: %s%s", i.exit, i.out, i.report)
		}
	})
	// A client that tries QUIC must learn at once that there is none, and nobody is told.
	t.Run("UDP port 443", func(t *testing.T) {
		r.t = t
		i := r.isolate(`python3 -c "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20); s.connect(('` + routeHost + `', 443)); s.send(b'x' * 1200); s.recv(1)"`)
		if !strings.Contains(i.out, "ConnectionRefusedError") || strings.Contains(i.report, "blocked") {
			t.Errorf("%s%s", i.out, i.report)
		}
	})
}

// TestIsolatedUnmatched checks what becomes of a host that no provider has.
func TestIsolatedUnmatched(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	const get = "curl -sSv -H 'Authorization: mine' https://" + otherHost + "/x"
	t.Run("passed through", func(t *testing.T) {
		r.t = t
		i := r.isolate(get)
		if !strings.Contains(i.out, "issuer: CN="+authority) || !strings.Contains(i.out, "hello from "+otherHost) {
			t.Errorf("%s%s", i.out, i.report)
		}
		if all := r.arrivals(); len(all) != 1 || all[0].Authorized || all[0].Authorizations != 1 {
			t.Errorf("arrived: %+v", all)
		}
	})
	t.Run("denied", func(t *testing.T) {
		r.t = t
		i := r.isolate(get, "--unmatched=deny")
		if i.exit != 35 || !strings.Contains(i.out, "alert access denied") || !strings.Contains(i.report, "1 blocked ("+otherHost+")") {
			t.Errorf("exit %d: %s%s", i.exit, i.out, i.report)
		}
		if all := r.arrivals(); len(all) > 0 {
			t.Errorf("arrived: %+v", all)
		}
	})
}

// differing are the members of an audit line that differ between two equal runs.
var differing = []string{"time", "run", "prev", "mac", "pid", "duration"}

// TestIsolatedAudit checks that the audit log has the same of a captured request and of
// one that came by CONNECT. Only a refused connection has no status: its client gets an
// alert of TLS.
func TestIsolatedAudit(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	for _, tt := range []struct{ outcome, url, flag string }{
		{"ok", routeURL, "--unmatched=allow"},
		{"host_denied", "https://" + otherHost + "/x", "--unmatched=deny"},
		{"https_required", "http://" + routeHost + "/x", "--unmatched=allow"},
	} {
		t.Run(tt.outcome, func(t *testing.T) {
			r.t = t
			script := "curl -s " + tt.url + "; true"
			captured := r.auditOf(r.isolate(script, tt.flag).report)
			cmd := r.command(nil, "--isolate", tt.flag, "env", "sh", "-c", script)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v: %s", err, &stderr)
			}
			proxied := r.auditOf(stderr.String())
			if tt.outcome == "host_denied" {
				for _, line := range proxied {
					delete(line, "status")
				}
			}
			if !reflect.DeepEqual(captured, proxied) {
				t.Errorf("captured: %v\nby CONNECT: %v", captured, proxied)
			}
			hasOutcome := func(line map[string]any) bool { return line["host"] != nil && line["outcome"] == tt.outcome }
			if !slices.ContainsFunc(captured, hasOutcome) {
				t.Errorf("no %s: %v", tt.outcome, captured)
			}
		})
	}
}

// auditOf returns what the log says of the run that printed a report.
func (r *rig) auditOf(report string) []map[string]any {
	r.t.Helper()
	run := regexp.MustCompile(`log --run (\w+)`).FindStringSubmatch(report)
	if run == nil {
		r.t.Fatalf("the report names no run: %s", report)
	}
	var lines []map[string]any
	if err := json.Unmarshal([]byte(r.authsome("", "log", "--json", "--run", run[1])), &lines); err != nil {
		r.t.Fatal(err)
	}
	for _, line := range lines {
		maps.DeleteFunc(line, func(name string, _ any) bool { return slices.Contains(differing, name) })
	}
	return lines
}

// TestIsolatedWhy checks that why decides inside, without proxy settings, as outside.
func TestIsolatedWhy(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	for _, url := range []string{routeURL, "https://" + otherHost + "/x", "http://" + routeHost + "/x"} {
		outside := r.authsome("", "why", "--json", url)
		if i := r.isolate(binary + " why --json " + url); i.exit != 0 || i.out != outside {
			t.Errorf("%s: inside, exit %d: %s%s\noutside: %s", url, i.exit, i.out, i.report, outside)
		}
	}
}
