package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"testing"
)

// proxyProcess is a running `authsome proxy` of a rig.
type proxyProcess struct {
	t              *testing.T
	cmd            *exec.Cmd
	address, admin string
	upstreamCA     string
}

// startProxy starts the proxy. All hosts on port 443 that the tests name are the
// rig's upstream.
func (r *rig) startProxy(args ...string) *proxyProcess {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.tls)
	args = append([]string{"proxy", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream-ca", r.ca}, args...)
	for _, host := range []string{routeHost, otherHost, "api.renewed.test", "api.refused.test", "api.down.test"} {
		args = append(args, "--connect-to", host+":443:127.0.0.1:"+port)
	}
	p := &proxyProcess{t: r.t, cmd: exec.Command(binary, args...), upstreamCA: r.ca}
	p.cmd.Env = r.environment()
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	var at struct{ Proxy, Admin string }
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		r.t.Fatalf("the proxy did not start: %v\n%s", err, &stderr)
	}
	p.address, p.admin = at.Proxy, "http://"+at.Admin
	return p
}

// get reads a page of the admin port.
func (p *proxyProcess) get(path string) []byte {
	p.t.Helper()
	response, err := http.Get(p.admin + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s, %v: %s", path, response.Status, err, body)
	}
	return body
}

// client uses the proxy, and trusts its authority and the upstream's.
func (p *proxyProcess) client() *http.Client {
	p.t.Helper()
	upstream, err := os.ReadFile(p.upstreamCA)
	if err != nil {
		p.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(p.get("/ca.pem")) || !roots.AppendCertsFromPEM(upstream) {
		p.t.Fatal("no certificate")
	}
	transport := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: p.address}),
		TLSClientConfig: &tls.Config{RootCAs: roots},
	}
	p.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: limit}
}

// metrics reads the metrics of authsome.
func (p *proxyProcess) metrics() map[string]*metric {
	p.t.Helper()
	return parseMetrics(p.t, string(p.get("/metrics")))
}
