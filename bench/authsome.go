package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildAuthsome builds the program from the module in the parent directory.
func buildAuthsome(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "authsome-binary")
	out, err := exec.CommandContext(ctx, "go", "build", "-C", "..", "-o", path, "./cmd/authsome").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build ../cmd/authsome: %w\n%s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
}

const definition = `{
  "schema_version": 1, "name": "bench", "display_name": "Benchmark", "auth_type": "api_key", "flow": "api_key",
  "host_url": ["` + hostHTTP1 + `", "` + hostHTTP2 + `"], "docs": "https://example.com/bench",
  "api_key": {"header_name": "Authorization", "header_prefix": "Bearer", "env_var": "BENCH_API_KEY"},
  "export": {"env": {"api_key": "BENCH_API_KEY"}}
}`

// connectProvider connects the benchmark's provider in a new home.
func connectProvider(ctx context.Context, binary string, env []string) error {
	command := func(stdin string, args ...string) error {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("authsome %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
		}
		return nil
	}
	if err := command(definition, "register", "-"); err != nil {
		return err
	}
	return command(strings.TrimPrefix(credential, "Bearer ")+"\n", "login", "bench", "--key-stdin")
}

// upstreamFlags make a proxy find the upstream.
func upstreamFlags(up endpoints, upstreamCA string) []string {
	return []string{"--connect-to", hostHTTP1 + ":443:" + up.HTTP1, "--connect-to", hostHTTP2 + ":443:" + up.HTTP2, "--upstream-ca", upstreamCA}
}

// startAuthsome connects the benchmark's provider in a new home and starts the
// proxy in the way that users do.
func startAuthsome(ctx context.Context, binary string, up endpoints, home, upstreamCA string) (*process, proxyReady, error) {
	var ready proxyReady
	env := environment(home, upstreamCA)
	if err := connectProvider(ctx, binary, env); err != nil {
		return nil, ready, err
	}
	certificate := filepath.Join(home, "authsome-ca.pem")
	args := []string{"proxy", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ca-out", certificate}
	cmd := exec.CommandContext(ctx, binary, append(args, upstreamFlags(up, upstreamCA)...)...)
	cmd.Env = env
	p, err := startProcess(ctx, subject, cmd, &ready)
	if err != nil {
		return nil, ready, err
	}
	pem, err := os.ReadFile(certificate)
	if err != nil {
		p.stop()
		return nil, ready, fmt.Errorf("read the certificate that authsome wrote: %w", err)
	}
	ready.Authority = string(pem)
	return p, ready, nil
}
