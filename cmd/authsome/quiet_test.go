package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// quiet WANT COMMAND…: with --quiet the command succeeds, prints nothing to stderr, and
// the regular expression WANT matches all of its stdout.
func quiet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: quiet WANT COMMAND...")
	}
	ts.Check(ts.Exec("authsome", append([]string{"--quiet"}, args[1:]...)...))
	if said := ts.ReadFile("stderr"); said != "" {
		ts.Fatalf("stderr: %s", said)
	}
	want := regexp.MustCompile("^(?s:" + args[0] + ")$")
	if got := strings.TrimSuffix(ts.ReadFile("stdout"), "\n"); !want.MatchString(got) {
		ts.Fatalf("stdout: %s", got)
	}
}

var quietLine = regexp.MustCompile(`(?m)^(?:\[\w+\] )?quiet (?:'[^']*'|\S+) (.+)$`)

// quiet.txtar checks each command, except proxy, which TestQuietProxy checks.
func TestQuietIsCheckedForAllCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "script", "quiet.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]bool{"authsome proxy": true}
	for _, m := range quietLine.FindAllStringSubmatch(string(text), -1) {
		checked[commandOf(t, "authsome "+m[1])] = true
	}
	for _, cmd := range commands() {
		if !checked[cmd.CommandPath()] {
			t.Errorf("quiet.txtar does not check %s", cmd.CommandPath())
		}
	}
}

// proxy is the only command that runs until a signal ends it.
func TestQuietProxy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := l.Addr().String()
	l.Close()
	b := newBench(t)
	cmd := b.command("proxy", "--quiet", "--listen", "127.0.0.1:0", "--admin", admin)
	cmd.Stdout = b
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	eventually(t, "the proxy is ready", func() bool {
		response, err := http.Get(fmt.Sprintf("http://%s/readyz", admin))
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || b.out.Len() > 0 {
		t.Errorf("%v: %s", err, b.out.String())
	}
}
