// Package demo shows the main job for real, on one machine and without an account: a
// service on loopback, a made-up key in a vault, an agent behind the proxy.
//
// It runs this binary as a user would, and does not use the packages inside it. Its
// invariant: a step is printed only after everything that it claims was checked.
package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/secret"
)

// Timeout is the time limit for the whole demo.
const Timeout = 30 * time.Second

// The demo's two hosts are names that only --connect-to knows; .test never resolves
// (RFC 6761).
const (
	apiHost     = "api.demo.test"
	otherHost   = "other.demo.test"
	keyVariable = "DEMO_API_KEY"
	keyPrefix   = "sk-demo-"
)

const definition = `{
  "schema_version": 1, "name": "demo", "display_name": "Demo service", "auth_type": "api_key", "flow": "api_key",
  "host_url": "` + apiHost + `", "api_key": {"header_name": "Authorization", "header_prefix": "Bearer", "env_var": "` + keyVariable + `"},
  "export": {"env": {"api_key": "` + keyVariable + `"}}, "docs": "https://example.com/demo"
}`

// demo is one run of the demo.
type demo struct {
	out     io.Writer
	dir     string // temporary; contains the home
	binary  string // this program
	key     secret.String
	service *service
	signIn  *signIn
	started time.Time // when the current step began
}

// Run runs the demo and prints its steps to out. The error says what was not as it
// should be.
func Run(ctx context.Context, out io.Writer) error {
	begin := time.Now()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "authsome-demo-")
	if err != nil {
		return fmt.Errorf("create a temporary home: %w", err)
	}
	defer os.RemoveAll(dir)
	d := &demo{out: out, dir: dir, binary: binary, key: secret.New(keyPrefix + rand.Text())}
	defer d.close()
	d.printf("authsome demo: an agent calls an HTTPS API whose key it never holds\n")
	for _, step := range []func(context.Context) error{d.startService, d.logIn, d.runAgent, d.runCurl, d.logInWithToken, d.refreshToken, d.isolateAgent} {
		d.started = time.Now()
		if err := step(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	d.printf("\nAll of this was checked, in %s. Next: authsome login openai, then authsome run -- COMMAND\n", since(begin))
	return nil
}

func (d *demo) close() {
	if d.service != nil {
		d.service.close()
	}
	if d.signIn != nil {
		d.signIn.close()
	}
}

func (d *demo) printf(format string, args ...any) { fmt.Fprintf(d.out, format, args...) }

func (d *demo) title(text string) { d.printf("\n%-58s %6s\n", text, since(d.started)) }

func (d *demo) fact(name, value string) { d.printf("   %-24s %s\n", name, value) }

func since(t time.Time) string { return time.Since(t).Round(time.Millisecond).String() }

// run runs a command with authsome run, and returns its output.
func (d *demo) run(ctx context.Context, command ...string) (string, error) {
	return d.runWith(ctx, nil, command...)
}

// runWith is run with more flags of authsome run.
func (d *demo) runWith(ctx context.Context, flags []string, command ...string) (string, error) {
	args := append([]string{"run", "--upstream-ca", d.service.caFile}, flags...)
	for _, host := range []string{apiHost, otherHost, tokenHost} {
		args = append(args, "--connect-to", host+":443:127.0.0.1:"+d.service.port())
	}
	return d.authsome(ctx, "", append(append(args, "--"), command...)...)
}

// authsome runs this binary in the demo's home, and returns its output. The user's
// variables for authsome and for proxies do not apply there.
func (d *demo) authsome(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, d.binary, args...)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &problems
	cmd.Env = append(os.Environ(), "AUTHSOME_HOME="+filepath.Join(d.dir, "home"), "SSL_CERT_FILE="+d.service.caFile, "BROWSER="+d.binary+" demo browser")
	for _, name := range []string{
		keyVariable, tokenVariable, child.ModeVariable, child.HomesVariable, "AUTHSOME_PROFILE", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE",
		"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
	} {
		cmd.Env = append(cmd.Env, name+"=")
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("authsome %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// mask describes a secret of the demo without showing it.
func mask(s secret.String) string {
	return fmt.Sprintf("%s… (%d characters)", keyPrefix, len(s.Reveal()))
}
