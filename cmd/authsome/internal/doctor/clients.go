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
	// The page is not a repository, but an answer shows that git reaches the proxy.
	{name: "git", program: "git", args: []string{"-c", "http.lowSpeedTime=20", "-c", "http.lowSpeedLimit=1", "ls-remote", selfURL}},
	{name: "Java", program: "java", args: []string{"Self.java"}, file: "Self.java", source: `class Self { public static void main(String[] a) throws Exception {
  System.out.print(new String(new java.net.URL("` + selfURL + `").openStream().readAllBytes())); } }`,
		remedy: withTrust(child.Java, "Java")},
}

var nodeRemedy = suggest.Advice("use Node 22.21, 24.5, or later")

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
	if v := nodeVersion(ctx); v != "" && nodeIgnoresProxies(v) {
		all = append(all, warning("clients", "fetch or https of Node "+v+" ignores proxies, so such requests get no credentials", nodeRemedy)...)
	}
	return all
}

func nodeVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--version")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "v")
}

// nodeIgnoresProxies reports whether some requests of a version of Node ignore
// NODE_USE_ENV_PROXY. Node 22.21 was the first of its line to support it; Node 24.0
// supports it for fetch, and 24.5 for https too.
func nodeIgnoresProxies(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	switch {
	case major == 22:
		return minor < 21
	case major == 24:
		return minor < 5
	}
	return major < 24
}
