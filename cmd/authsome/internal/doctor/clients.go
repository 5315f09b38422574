package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/child"
)

// clientCheck requests the page that the proxy itself serves with one program.
type clientCheck struct {
	name    string
	program string
	args    []string
	file    string // written to a temporary directory, which becomes the working directory
	source  string
	answer  string // a part of the output that shows success; empty if only the page itself does
	reason  string // for a failure, if the program's output does not say it
	remedy  suggest.Suggestion
}

var clientChecks = []clientCheck{
	{name: "curl", program: "curl", args: []string{"-sS", "--max-time", "20", selfURL}},
	{name: "wget", program: "wget", args: []string{"-qO-", "--timeout=20", "--tries=1", selfURL}},
	{name: "Python", program: "python3", args: []string{"-c", "import urllib.request; print(urllib.request.urlopen('" + selfURL + "', timeout=20).read().decode(), end='')"}},
	{name: "Node fetch", program: "node", args: []string{"-e", "fetch('" + selfURL + "').then(r => r.text()).then(t => process.stdout.write(t)).catch(e => { console.error(e.cause ?? e); process.exit(1) })"},
		remedy: nodeRemedy},
	{name: "Node TLS", program: "node", args: []string{"-e", nodeTLS}, remedy: nodeRemedy},
	// The page is not a repository, but an answer shows that git reaches the proxy.
	{name: "git", program: "git", args: []string{"-c", "http.lowSpeedTime=20", "-c", "http.lowSpeedLimit=1", "ls-remote", selfURL}},
	{name: "Java", program: "java", args: []string{"Self.java"}, file: "Self.java", source: `class Self { public static void main(String[] a) throws Exception {
  System.out.print(new String(new java.net.URL("` + selfURL + `").openStream().readAllBytes())); } }`,
		remedy: withTrust(child.Java, "Java")},
}

// nodeTLS requests the page over a connection that it opens itself, as WebSockets and
// HTTP/2 in Node do.
const nodeTLS = `const { host, pathname } = new URL('` + selfURL + `')
const c = require('node:tls').connect({ host, port: 443, servername: host, timeout: 20000 }, () => c.write('GET ' + pathname + ' HTTP/1.0\r\nHost: ' + host + '\r\n\r\n'))
let text = ''
c.on('data', d => text += d).on('end', () => process.stdout.write(text.split('\r\n\r\n')[1] ?? ''))
c.on('timeout', () => c.destroy(new Error('timeout'))).on('error', e => { console.error(e); process.exit(1) })`

var nodeRemedy = suggest.Advice("use Node 18 or later, one that reads NODE_OPTIONS")

func (c clientCheck) run(ctx context.Context, d *Doctor) []finding {
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
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.source), 0o600); err != nil {
			return failed(c.name, err)
		}
	}
	var out, problems bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &problems
	err = cmd.Run()
	reason := mainLine(problems.String())
	switch {
	case out.String() == intercept.SelfAnswer, c.answer != "" && strings.Contains(out.String(), c.answer):
		return ok(c.name, "uses the proxy and trusts it")
	case c.program == "git" && strings.Contains(problems.String(), "not valid: is this a git repository"):
		return ok(c.name, "uses the proxy and trusts it")
	case c.reason != "":
		reason = c.reason
	case err == nil && out.Len() > 0:
		reason = "it got a page of another server"
	case reason == "" && err != nil:
		reason = fmt.Sprint(err)
	}
	return warning(c.name, "does not reach the proxy: "+reason, c.remedy)
}

// mainLine is the line of a program's error output that says most: the first with the
// word error or exception, or else the last.
func mainLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	for _, line := range lines {
		if lower := strings.ToLower(line); strings.Contains(lower, "error") || strings.Contains(lower, "exception") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// checkClients reports clients on this machine that ignore the proxy variables.
func (d *Doctor) checkClients(ctx context.Context) []finding {
	var all []finding
	if runtime.GOOS == "darwin" {
		all = append(all, warning("clients", "on macOS, programs written in Go trust only the keychain and refuse the proxy's certificate", suggest.Advice("run them in the sidecar's container"))...)
	}
	return all
}
