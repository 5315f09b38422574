package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/secret"
)

// The demo's two hosts are names that only --connect-to knows; .test never
// resolves (RFC 6761).
const (
	demoHost      = "api.demo.test"
	demoOtherHost = "other.demo.test"
	demoVariable  = "DEMO_API_KEY"
	demoTime      = 30 * time.Second
)

const demoDefinition = `{
  "schema_version": 1, "name": "demo", "display_name": "Demo service", "auth_type": "api_key", "flow": "api_key",
  "host_url": "` + demoHost + `", "api_key": {"header_name": "Authorization", "header_prefix": "Bearer", "env_var": "` + demoVariable + `"},
  "export": {"env": {"api_key": "` + demoVariable + `"}}, "docs": "https://example.com/demo"
}`

func newDemoCmd(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show on this machine what authsome does, and check it",
		Long: `Demo starts a small HTTPS service on loopback, stores a made-up key for it in a
vault in a temporary home, and runs an agent behind the proxy. It prints what
the agent had and what the service received, and exits 0 only if the agent
never held the key. A second service signs in with OAuth, and its token runs out
while the agent works. Nothing leaves the machine.`,
		Example: "  authsome demo",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), demoTime)
			defer cancel()
			return demo(ctx, app)
		},
	}
	cmd.AddCommand(newDemoAgentCmd(app), newDemoBrowserCmd())
	return cmd
}

// demonstration is one demo: a home, a service, a key, and this binary.
type demonstration struct {
	app     *app
	home    string
	binary  string
	key     secret.String
	service *demoService
	signIn  *demoSignIn
	started time.Time // of the present step
}

func demo(ctx context.Context, app *app) error {
	if app.getenv("AUTHSOME_PROXY_MODE") != "" {
		return withHint(errors.New("the demo starts a run of its own, and this is already one"), "run it in a terminal of your own")
	}
	begin := time.Now()
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this binary: %w", err)
	}
	home, err := os.MkdirTemp("", "authsome-demo-")
	if err != nil {
		return fmt.Errorf("make a temporary home: %w", err)
	}
	defer os.RemoveAll(home)
	d := &demonstration{app: app, home: home, binary: binary, key: secret.New("sk-demo-" + rand.Text())}
	app.printf("authsome demo: an agent calls an HTTPS API whose key it never holds\n")
	for _, step := range []func(context.Context) error{d.startService, d.logIn, d.runAgent, d.runCurl, d.logInWithToken, d.renewToken} {
		d.started = time.Now()
		if err := step(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	d.service.close()
	app.printf("\nAll of this was checked, in %s. Next: authsome login openai, then authsome run -- COMMAND\n", since(begin))
	return nil
}

func (d *demonstration) step(title string) { d.app.printf("\n%-58s %6s\n", title, since(d.started)) }

func (d *demonstration) line(what, value string) { d.app.printf("   %-22s %s\n", what, value) }

func since(t time.Time) string { return time.Since(t).Round(time.Millisecond).String() }

func (d *demonstration) startService(context.Context) (err error) {
	if d.service, err = startDemoService(filepath.Join(d.home, "service-ca.pem")); err != nil {
		return err
	}
	d.step("1. A service starts on loopback")
	d.line("https://"+demoHost, "wants a bearer token; its certificate is its own")
	return nil
}

func (d *demonstration) logIn(ctx context.Context) error {
	if _, err := d.authsome(ctx, demoDefinition, "register", "-", "--yes", "--quiet"); err != nil {
		return err
	}
	if _, err := d.authsome(ctx, d.key.Reveal()+"\n", "login", "demo", "--key-stdin"); err != nil {
		return err
	}
	files, err := d.searchHome()
	if err != nil {
		return err
	}
	d.step("2. authsome login demo: its key goes into the vault")
	d.line("key", mask(d.key)+", made up for this demo")
	d.line("on disk", fmt.Sprintf("%d files searched, the key is in none of them in clear", files))
	return nil
}

// searchHome looks for the key in every byte of the home directory.
func (d *demonstration) searchHome() (files int, err error) {
	err = filepath.WalkDir(d.home, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if bytes.Contains(b, []byte(d.key.Reveal())) {
			return fmt.Errorf("the key is in clear in %s", filepath.Base(path))
		}
		return nil
	})
	return files, err
}

func (d *demonstration) runAgent(ctx context.Context) error {
	out, err := d.run(ctx, d.binary, "demo", "agent")
	if err != nil {
		return err
	}
	if strings.Contains(out, d.key.Reveal()) {
		return errors.New("the agent could see the key")
	}
	var saw agentReport
	if err := json.Unmarshal([]byte(out), &saw); err != nil {
		return fmt.Errorf("report of the agent: %w", err)
	}
	if err := d.service.received(demoHost, "Bearer "+d.key.Reveal()); err != nil {
		return err
	}
	if err := d.service.received(demoOtherHost, "Bearer "+saw.Variable); err != nil {
		return err
	}
	switch {
	case saw.Status != 200:
		return fmt.Errorf("the service answered %d to the agent", saw.Status)
	case saw.OtherIssuer != demoAuthority:
		return fmt.Errorf("the other host's certificate was by %q", saw.OtherIssuer)
	case saw.Issuer == demoAuthority:
		return errors.New("the route was not intercepted")
	}
	d.step("3. authsome run -- agent: it asks for " + demoHost)
	d.line("the agent had", demoVariable+"="+saw.Variable)
	d.line("the agent sent", "Authorization: Bearer "+saw.Variable)
	d.line("the service received", "Authorization: Bearer "+mask(d.key))
	d.line("the agent's environment", fmt.Sprintf("%d variables, the key in none", saw.Variables))
	d.app.printf("\n   and for %s, which is no route\n", demoOtherHost)
	d.line("the agent saw", "the host's own certificate, by “"+saw.OtherIssuer+"”")
	d.line("the host received", "what the agent sent, untouched")
	return nil
}

// runCurl shows the same with a program that knows nothing of authsome.
func (d *demonstration) runCurl(ctx context.Context) error {
	curl, err := exec.LookPath("curl")
	if err != nil {
		return nil
	}
	out, err := d.run(ctx, curl, "-sS", "-w", "%{http_code}", "-o", os.DevNull, "https://"+demoHost+"/curl")
	if err != nil {
		return err
	}
	if out != "200" {
		return fmt.Errorf("the service answered %s to curl", out)
	}
	if err := d.service.received(demoHost, "Bearer "+d.key.Reveal()); err != nil {
		return err
	}
	d.step("4. authsome run -- curl https://" + demoHost + "/curl")
	d.line("curl, unmodified", "200 OK")
	return nil
}

// run starts a command under `authsome run`, as a user would.
func (d *demonstration) run(ctx context.Context, command ...string) (string, error) {
	_, port := d.service.address()
	args := []string{"run", "--upstream-ca", d.service.caFile}
	for _, host := range []string{demoHost, demoOtherHost, demoTokenHost} {
		args = append(args, "--connect-to", host+":443:127.0.0.1:"+port)
	}
	return d.authsome(ctx, "", append(append(args, "--"), command...)...)
}

// authsome runs this binary in the demo's home.
func (d *demonstration) authsome(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, d.binary, args...)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &problems
	cmd.Env = append(os.Environ(), "AUTHSOME_HOME="+filepath.Join(d.home, "home"), "SSL_CERT_FILE="+d.service.caFile, "AUTHSOME_PROFILE=")
	cmd.Env = append(cmd.Env, "BROWSER="+d.binary+" demo browser")
	for _, name := range []string{demoVariable, demoTokenVariable, "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"} {
		cmd.Env = append(cmd.Env, name+"=")
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("authsome %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}

// mask shows that it is the key without showing the key.
func mask(s secret.String) string {
	v := s.Reveal()
	return v[:len("sk-demo-")] + "…" + fmt.Sprintf(" (%d characters)", len(v))
}
