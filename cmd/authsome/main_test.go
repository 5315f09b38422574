package main

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// raceOptions shortens the second that a program waits before it exits under the race
// detector: the scripts run hundreds of programs.
const raceOptions = "atexit_sleep_ms=5"

func TestMain(m *testing.M) {
	os.Setenv("GORACE", raceOptions)
	programs := map[string]func(){
		"authsome": main,
		"agent":    agent,
		"browser":  browser,
	}
	if programs[filepath.Base(os.Args[0])] == nil {
		useTestRoots()
	}
	testscript.Main(m, programs)
}

// testRoots is the file of the only roots that the programs of the tests trust, unless a
// test says otherwise. Their keys were not kept. Hundreds of programs would read all roots of
// the system.
var testRoots string

// useTestRoots makes this process trust only the roots of the tests.
func useTestRoots() {
	var err error
	if testRoots, err = filepath.Abs("testdata/roots.pem"); err != nil {
		log.Fatal(err)
	}
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); strings.HasSuffix(value, ".crt") || strings.HasSuffix(value, ".pem") {
			os.Unsetenv(name) // the machine's roots, for clients
		}
	}
	os.Setenv("SSL_CERT_FILE", testRoots)
	os.Setenv("SSL_CERT_DIR", "/nonexistent")
}

// agent is the command that scripts start with authsome run. It prints what its
// arguments name.
func agent() {
	switch os.Args[1] {
	case "env":
		for _, name := range os.Args[2:] {
			fmt.Printf("%s=%s\n", name, os.Getenv(name))
		}
	case "environ":
		fmt.Println(strings.Join(os.Environ(), "\n"))
	case "exit":
		var code int
		fmt.Sscan(os.Args[2], &code)
		os.Exit(code)
	case "kill-self":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "connect":
		fmt.Println(connect(os.Args[2], os.Args[3], ""))
	case "get": // with the proxy's variables: URL [KEY]
		request, err := http.NewRequest("GET", os.Args[2], nil)
		if err != nil {
			log.Fatal(err)
		}
		if len(os.Args) > 3 {
			request.Header.Set("Authorization", "Bearer "+os.Args[3])
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		fmt.Println(response.StatusCode, string(body), err)
	case "run-files":
		filepath.WalkDir(filepath.Join(os.Getenv("AUTHSOME_HOME"), "runs"), func(_ string, d fs.DirEntry, _ error) error {
			info, err := d.Info()
			if err == nil {
				fmt.Println(info.Mode(), info.Name())
			}
			return err
		})
	case "fetch":
		response, err := http.Get(os.Args[2])
		if err != nil {
			fmt.Println(err)
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		fmt.Printf("%d %s\n", response.StatusCode, body)
	case "roots":
		pool, err := x509.SystemCertPool()
		fmt.Println("roots:", err == nil && !pool.Equal(x509.NewCertPool()))
	}
}

// skipCommands skips a test with -short that runs many commands, each alone, which takes
// long with the race detector and gives it nothing to find. Scripts say [short] skip.
func skipCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("runs many commands, each alone")
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:       "testdata/script",
		Condition: func(c string) (bool, error) { return c == "root" && os.Getuid() == 0, nil },
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", raceOptions)
			e.Setenv("SSL_CERT_FILE", testRoots)
			e.Setenv("SSL_CERT_DIR", "/nonexistent")
			e.Setenv("AUTHSOME_HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			e.Setenv("PORT", freePort()) // for a redirect URL, which no other script uses
			return os.MkdirAll(filepath.Join(e.WorkDir, "tmp"), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":         exits,
			"authserver":    authserver,
			"expire":        expire,
			"page":          page,
			"mcpworld":      mcpworld,
			"requests":      requests,
			"canary":        canary,
			"mode":          fileMode,
			"pythonhome":    makePythonHome,
			"pythonservice": pythonservice,
			"backup":        dotenvBackup,
			"unchanged":     unchanged,
			"golden":        golden,
			"quiet":         quiet,
		},
	})
}

// exits CODE COMMAND…: the command ends with that exit code. Its stdout and stderr can
// be checked as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if failed, ok := err.(*exec.ExitError); ok {
		code = failed.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// canary SECRET [DIR…]: no file in the directories contains the secret, in any form.
func canary(ts *testscript.TestScript, neg bool, args []string) {
	for _, dir := range args[1:] {
		found := findSecret(ts.MkAbs(dir), args[0])
		if (len(found) > 0) != neg {
			ts.Fatalf("found the secret in %v", found)
		}
	}
}

// forms returns the forms in which a secret could leak.
func forms(secret string) map[string]string {
	half := len(secret) / 2
	all := map[string]string{
		"in plain text": secret, "its first half": secret[:half], "its second half": secret[half:], "in hex": hex.EncodeToString([]byte(secret)),
		"URL-encoded": url.QueryEscape(secret), "URL-encoded, in lower case": strings.ToLower(url.QueryEscape(secret)),
		"in JSON, with escaped slashes": strings.ReplaceAll(secret, "/", `\/`),
	}
	if quoted, err := json.Marshal(secret); err == nil {
		all["in JSON"] = strings.Trim(string(quoted), `"`)
	}
	// base64 has three forms, depending on the number of bytes before the secret.
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		all[fmt.Sprint("in base64, form ", shift)] = strings.TrimRight(encoded, "=")[4 : len(strings.TrimRight(encoded, "="))-2]
	}
	return all
}

// leaks returns the forms of the secret that b contains.
func leaks(b []byte, secret string) []string {
	var found []string
	for name, form := range forms(secret) {
		if bytes.Contains(b, []byte(form)) {
			found = append(found, name)
		}
	}
	return found
}

// findSecret returns the files in a directory that contain the secret.
func findSecret(dir, secret string) []string {
	var found []string
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for _, form := range leaks(b, secret) {
			found = append(found, path+" ("+form+")")
		}
		return nil
	})
	return found
}

// The search for secrets finds a secret in each form.
func TestCanaryFindsEveryForm(t *testing.T) {
	const secret = "sk-canary-5d41402abc4b2a76b9719d911017c592"
	for name, form := range forms(secret) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "log"), []byte("before "+form+" after"), 0o600); err != nil {
			t.Fatal(err)
		}
		if len(findSecret(dir, secret)) == 0 {
			t.Errorf("did not find a secret %s", name)
		}
	}
	for shift := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("y", shift) + secret + "tail"))
		if len(leaks([]byte(encoded), secret)) == 0 {
			t.Errorf("did not find a secret in base64 after %d bytes", shift)
		}
	}
}

// mode MODE FILE…: the files have this mode.
func fileMode(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); (got == args[0]) == neg {
			ts.Fatalf("%s has mode %s", name, got)
		}
	}
}

// Every command and flag has help, and examples are valid command lines.
func TestCommandTree(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || c.Long == "" || c.Long == c.Short || c.Example == "" {
			t.Errorf("%s: short or long help or an example is missing", c.CommandPath())
		}
		if strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short help ends in a period", c.CommandPath())
		}
		for line := range strings.Lines(strings.ReplaceAll(c.Example, "\\\n", "")) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " | ")
			if err := parseInvocation(line); strings.HasPrefix(line, "authsome ") && err != nil {
				t.Errorf("%s: the example %s: %v", c.CommandPath(), line, err)
			}
		}
		out := new(bytes.Buffer)
		c.SetOut(out)
		c.Help()
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if err := checkFlag(f); err != nil {
				t.Errorf("%s --%s: %v: %q", c.CommandPath(), f.Name, err, f.Usage)
			}
			if !strings.Contains(out.String(), "--"+f.Name) {
				t.Errorf("%s --%s: not in the help of the command", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCmd(newApp()))
}

// checkFlag checks that the help of a flag is a phrase that names the flag's value.
func checkFlag(f *pflag.Flag) error {
	_, text := pflag.UnquoteUsage(f)
	switch {
	case text == "":
		return errors.New("no help")
	case strings.ToLower(text[:1]) != text[:1]:
		return errors.New("the help begins with a capital letter")
	case strings.HasSuffix(text, "."):
		return errors.New("the help ends in a period")
	case f.Value.Type() != "bool" && strings.Count(f.Usage, "`") != 2:
		return errors.New("the help does not name the value")
	case f.Hidden || f.Deprecated != "":
		return errors.New("hidden or deprecated")
	}
	return nil
}

func TestCheckFlag(t *testing.T) {
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	set.String("good", "", "write to `FILE`")
	set.Bool("switch", false, "do not ask")
	set.String("silent", "", "")
	set.String("capital", "", "Write to `FILE`")
	set.String("period", "", "write to `FILE`.")
	set.String("nameless", "", "write to a file")
	set.VisitAll(func(f *pflag.Flag) {
		if err := checkFlag(f); (err == nil) != (f.Name == "good" || f.Name == "switch") {
			t.Errorf("%s: %v", f.Name, err)
		}
	})
}
