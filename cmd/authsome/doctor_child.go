package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/authsome/authsome/intercept"
)

// childChecks are those from behind the proxy.
func (a *app) childChecks() []checkup {
	checks := []checkup{a.checkVariables, a.checkProxyAnswers, a.checkSecretsAway, a.checkWayRound}
	for _, c := range clientChecks {
		checks = append(checks, c.run)
	}
	return checks
}

const selfURL = "https://" + intercept.SelfHost + "/"

// checkVariables: all spellings name one proxy, and a certificate file that is
// there.
func (a *app) checkVariables(context.Context) []finding {
	const remedy = "start it with authsome run, and do not change these variables in between"
	first := a.getenv("HTTPS_PROXY")
	if first == "" {
		return []finding{{"variables", problem, "HTTPS_PROXY is not set", remedy}}
	}
	for _, name := range []string{"https_proxy", "HTTP_PROXY", "http_proxy"} {
		if v := a.getenv(name); v != first {
			return []finding{{"variables", problem, name + " names another proxy than HTTPS_PROXY", remedy}}
		}
	}
	for _, name := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"} {
		if _, err := os.Stat(a.getenv(name)); err != nil {
			return []finding{{"variables", problem, name + ": " + err.Error(), remedy}}
		}
	}
	return fine("variables", "one proxy, and the certificates are there")
}

func (a *app) checkProxyAnswers(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := askSelf(ctx)
	switch {
	case err != nil:
		return []finding{{"proxy", problem, err.Error(), "authsome run starts one for the command; is this command still behind it?"}}
	case body != intercept.SelfAnswer:
		return []finding{{"proxy", problem, "what answers is not authsome", "look at HTTPS_PROXY"}}
	}
	return fine("proxy", "it answers, and its certificate is trusted")
}

func askSelf(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, selfURL, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return string(b), err
}

// checkSecretsAway: no variable of authsome's own reached this process.
func (a *app) checkSecretsAway(context.Context) []finding {
	for _, name := range []string{"AUTHSOME_PROXY_TOKEN", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE", "SSLKEYLOGFILE"} {
		if a.getenv(name) != "" {
			return []finding{{"secrets", problem, name + " is set behind the proxy", "unset it"}}
		}
	}
	return fine("secrets", "none of authsome's own is in the environment")
}

// checkWayRound tries to reach a routed host directly. Only the machine's network
// can prevent it.
func (a *app) checkWayRound(ctx context.Context) []finding {
	t, err := a.table(ctx)
	if err != nil {
		return fine("way round", "not looked for: the vault cannot be read from here")
	}
	for _, r := range t.Routes() {
		if strings.HasPrefix(r.Host, ".") {
			continue // every name under it
		}
		dial, cancel := context.WithTimeout(ctx, 5*time.Second)
		direct, err := (&net.Dialer{}).DialContext(dial, "tcp", net.JoinHostPort(r.Host, "443"))
		cancel()
		if err != nil {
			return fine("way round", "%s cannot be reached without the proxy", r.Host)
		}
		direct.Close()
		return []finding{{"way round", warning, r.Host + " can be reached without the proxy: a program that ignores the variables does so, with placeholders", "the sidecar in a network of its own closes that way"}}
	}
	return fine("way round", "nothing is connected")
}

// clientCheck asks one client program to fetch the proxy's own page.
type clientCheck struct {
	name    string
	program string
	args    []string
	file    string // written to a temporary directory, which becomes the working directory
	source  string
	remedy  string
}

var clientChecks = []clientCheck{
	{name: "curl", program: "curl", args: []string{"-sS", "--max-time", "20", selfURL}},
	{name: "wget", program: "wget", args: []string{"-qO-", "--timeout=20", "--tries=1", selfURL}},
	{name: "Python", program: "python3", args: []string{"-c", "import urllib.request; print(urllib.request.urlopen('" + selfURL + "', timeout=20).read().decode(), end='')"}},
	{name: "Node fetch", program: "node", args: []string{"-e", "fetch('" + selfURL + "').then(r => r.text()).then(t => process.stdout.write(t)).catch(e => { console.error(e.cause ?? e); process.exit(1) })"},
		remedy: "use Node 22.21, 24.5, or later"},
	// A page that is no repository: it answers, so the way is open.
	{name: "git", program: "git", args: []string{"-c", "http.lowSpeedTime=20", "-c", "http.lowSpeedLimit=1", "ls-remote", selfURL}},
	{name: "Java", program: "java", args: []string{"Self.java"}, file: "Self.java", source: `class Self { public static void main(String[] a) throws Exception {
  System.out.print(new String(new java.net.URL("` + selfURL + `").openStream().readAllBytes())); } }`,
		remedy: "authsome run --trust java, if the command uses it"},
}

func (c clientCheck) run(ctx context.Context) []finding {
	path, err := exec.LookPath(c.program)
	if err != nil {
		return nil // not installed
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, c.args...)
	dir, err := os.MkdirTemp("", "authsome-doctor-")
	if err != nil {
		return failed(c.name, err)
	}
	defer os.RemoveAll(dir)
	if c.file != "" {
		if err := os.WriteFile(dir+"/"+c.file, []byte(c.source), 0o600); err != nil {
			return failed(c.name, err)
		}
	}
	var out, problems bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &problems
	err = cmd.Run()
	said := told(problems.String())
	switch {
	case out.String() == intercept.SelfAnswer:
		return fine(c.name, "uses the proxy and trusts it")
	case c.program == "git" && strings.Contains(problems.String(), "not valid: is this a git repository"):
		return fine(c.name, "uses the proxy and trusts it")
	case err == nil:
		said = "it fetched something else"
	case said == "":
		said = fmt.Sprint(err)
	}
	return []finding{{c.name, warning, "does not reach the proxy: " + said, c.remedy}}
}

// told is the line of a program's complaint that says most.
func told(complaint string) string {
	lines := strings.Split(strings.TrimSpace(complaint), "\n")
	for _, line := range lines {
		if lower := strings.ToLower(line); strings.Contains(lower, "error") || strings.Contains(lower, "exception") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}
