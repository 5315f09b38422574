package child

import (
	"context"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// Some clients prefer a proxy in the user's configuration to the one in the environment,
// so they would go around ours. A variable overrules it.

// Configured is what the user's configuration says about proxies and roots, as far as the
// environment must overrule it.
type Configured struct {
	Git       []string // settings of git that name a proxy, such as http.https://example.com/.proxy
	Variables []string // that overrule the proxy in the configuration of another client
	Roots     []string // the same for roots
}

// configFiles are files in the user's home in which a client finds its proxy, and the
// variables that overrule them. npm is not here: its variables are always set, because it
// obeys noproxy.
var configFiles = []struct {
	file      string
	variables []string
}{
	{".config/pip/pip.conf", []string{"PIP_PROXY"}},
	{".pip/pip.conf", []string{"PIP_PROXY"}},
	{".cargo/config.toml", []string{"CARGO_HTTP_PROXY"}},
	{".cargo/config", []string{"CARGO_HTTP_PROXY"}},
	{".yarnrc.yml", []string{"YARN_HTTP_PROXY", "YARN_HTTPS_PROXY"}},
}

// maxConfig limits how much of a configuration file is read, in bytes.
const maxConfig = 1 << 20

// FindConfigured reads the user's configuration. It starts git only if one of its files
// may name a proxy.
func FindConfigured(ctx context.Context, getenv func(string) string) Configured {
	var c Configured
	home := getenv("HOME")
	if home == "" {
		return c
	}
	for _, f := range configFiles {
		if mentions(filepath.Join(home, f.file), "proxy") {
			c.Variables = append(c.Variables, f.variables...)
		}
	}
	if mentions(filepath.Join(home, ".aws", "config"), "ca_bundle") {
		c.Roots = append(c.Roots, "AWS_CA_BUNDLE")
	}
	files := []string{"/etc/gitconfig", filepath.Join(home, ".gitconfig"), filepath.Join(home, ".config", "git", "config"), getenv("GIT_CONFIG_GLOBAL"), filepath.Join(".git", "config")}
	if slices.ContainsFunc(files, func(file string) bool { return mentions(file, "proxy", "include") }) {
		c.Git = gitProxies(ctx)
	}
	return c
}

// mentions reports whether a file has one of the words, in any case.
func mentions(path string, words ...string) bool {
	if path == "" {
		return false
	}
	b, err := regular.Read(path, maxConfig)
	if err != nil {
		return false // clients cannot read it either
	}
	text := strings.ToLower(string(b))
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// gitProxies returns the settings of git that name a proxy.
func gitProxies(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "config", "--null", "--name-only", "--get-regexp", `^(http|remote)\..*proxy$`).Output()
	if err != nil {
		return nil // git is not installed, or has no such setting
	}
	keys := slices.DeleteFunc(strings.Split(string(out), "\x00"), func(key string) bool { return key == "" })
	slices.Sort(keys)
	return slices.Compact(keys)
}

// setConfigured overrules the proxies in the user's configuration.
func (e *Environment) setConfigured(env map[string]string) {
	// npm ignores the case of its variables, and sets the lower-case ones for its scripts.
	maps.DeleteFunc(env, func(name, _ string) bool {
		return slices.Contains([]string{"npm_config_proxy", "npm_config_https_proxy", "npm_config_http_proxy", "npm_config_noproxy", "npm_config_no_proxy"}, strings.ToLower(name))
	})
	env["npm_config_proxy"], env["npm_config_https_proxy"], env["npm_config_noproxy"] = e.Proxy.String(), e.Proxy.String(), env["NO_PROXY"]
	for _, name := range e.Configured.Variables {
		env[name] = e.Proxy.String()
	}
	if len(e.Configured.Git) == 0 {
		return
	}
	// GIT_CONFIG_COUNT numbers settings from 0 on; the parent may have some.
	count, err := strconv.Atoi(env["GIT_CONFIG_COUNT"])
	if err != nil || count < 0 {
		count = 0
	}
	for _, key := range e.Configured.Git {
		env["GIT_CONFIG_KEY_"+strconv.Itoa(count)], env["GIT_CONFIG_VALUE_"+strconv.Itoa(count)] = key, e.Proxy.String()
		count++
	}
	env["GIT_CONFIG_COUNT"] = strconv.Itoa(count)
}
