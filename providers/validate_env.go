package providers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func (d *Definition) checkEnv(f *faults) {
	for i, e := range d.Env {
		at := fmt.Sprintf("env[%d].", i)
		if reason := refusedVariable(e.Name); reason != "" {
			f.add(at+"name", reason, "")
		}
		if slices.IndexFunc(d.Env, func(o Env) bool { return o.Name == e.Name }) < i {
			f.add(at+"name", e.Name+" is listed twice", "")
		}
		if e.Value == "" {
			if !e.Unset {
				f.add(at+"value", "missing", "for example {api_key}")
			}
			if e.Placeholder != "" {
				f.add(at+"placeholder", "there is no value for which the command gets it", "remove the placeholder")
			}
			continue
		}
		f.addError(d.checkNames(at+"value", e.Value, nameCredential))
		if reason := d.refusedValue(e); reason != "" && !d.refused(f, e.Value) {
			f.add(at+"value", reason, "")
		}
		if !f.about("params") {
			f.addError(d.checkPlaceholder(at+"placeholder", e))
		}
	}
}

// dropVariables leaves out the variables that checkEnv refuses for their names or
// their values.
func (d *Definition) dropVariables() {
	var kept []Env
	for i, e := range d.Env {
		reason := refusedVariable(e.Name)
		if reason == "" {
			reason = d.refusedValue(e)
		}
		if reason != "" {
			d.drop(d.envField(i), "%s", reason)
			continue
		}
		kept = append(kept, e)
	}
	d.Env = kept
}

// envField returns the path of a variable in the file.
func (d *Definition) envField(i int) string {
	if d.SchemaVersion == 1 {
		return "export"
	}
	return fmt.Sprintf("env[%d]", i)
}

// A variable of a definition is set for every command that authsome runs. Shells,
// loaders, runtimes, package managers and other tools read thousands of variables, by
// which a definition could run code, replace programs or disable the proxy. So the names
// are those of an allow-list: a word for the service, and an end that says that the
// variable has a part of its credential or its address. Words of tools that are not
// services are refused as the first word.

// variableShape is the shape of an allowed name.
var variableShape = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_(KEY|APIKEY|TOKEN|SECRET|PASSWORD|PAT|` + // credentials
	`ID|SID|ACCOUNT|USERNAME|USER|EMAIL|NAME|TENANT|WORKSPACE|PROJECT|ORG|ORGANIZATION|TEAM|` + // whose account it is
	`URL|DSN|ENDPOINT|HOST|DOMAIN|SUBDOMAIN|SITE|REGION|CLUSTER|INSTANCE|DATABASE)$`) // where the service is

// apiKeyShape is the shape of names that no system or tool reads, whatever their first
// word is: a service can be called Go or Docker.
var apiKeyShape = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_(API_KEY|API_TOKEN|ACCESS_TOKEN)$`)

// otherVariables are the allowed names that do not have the shape, or whose first word
// is one of a tool, each with a client of the service that reads it.
var otherVariables = map[string]string{
	"AWS_BEARER_TOKEN_BEDROCK": "the AWS SDKs",
	"MAILCHIMP_SERVER_PREFIX":  "Mailchimp's examples",
	"NODE_AUTH_TOKEN":          "the .npmrc that actions/setup-node writes",
	"NPM_TOKEN":                "the .npmrc that npm's documentation shows",
	"OKTA_CLIENT_ORGURL":       "the Okta SDKs",
	"TF_TOKEN":                 "scripts for Terraform Cloud",
}

// registryToken is the shape of the variables in which npm reads the token of a registry.
// Only programs can set them: they are not names in a shell.
var registryToken = regexp.MustCompile(`^npm_config_//`)

// toolWords are first words of variables that belong to systems, shells, runtimes and
// tools.
var toolWords = strings.Fields(`
	ALL ANDROID ANSIBLE APPDATA APT ASAN ASDF AUTHSOME BASH BASHOPTS BREW BROWSER BUN BUNDLE BUNDLER CARGO CC CFLAGS CHROME CLASSPATH CLICOLOR
	CMAKE COMPLUS COMPOSER COMSPEC CONDA CONTAINER CONTAINERS CORECLR CPATH CURL CXX DBUS DEBIAN DENO DIRENV DISPLAY DNF DOCKER DOTNET DYLD
	EDITOR ELECTRON EMACS ENV FISH FLATPAK FTP GCC GCONV GDK GEM GIO GIT GLIBC GNUPG GO GOPATH GPG GRADLE GTK HELM HISTFILE HOME HOMEBREW
	HOST HOSTALIASES HTTP HTTPS IFS INPUTRC JAVA JDK JRE JULIA JVM K3S KRB5 KUBE KUBERNETES LANG LC LD LESS LIBC LIBRARY LLVM LOCALAPPDATA
	LOGNAME LUA MALLOC MAMBA MAN MANPATH MAVEN MISE MSBUILD MVN MYSQL NIX NO NODE NODEJS NOPROXY NPM NSS NUGET NVM OLDPWD OPENSSL
	OTEL PAGER PATH PDM PERL PERL5 PG PHP PIP PIPENV PIPX PKG PLAYWRIGHT PNPM PODMAN POETRY PORTAGE PROCESS PROGRAM PROMPT PROXY PS1 PS4 PSMODULEPATH
	PUPPETEER PWD PY PYENV PYTEST PYTHON QT R RBENV READLINE REQUESTS RES RPM RUBY RUBYGEMS RUST RUSTC RUSTUP SASL SBT SDKMAN SDL SHELL SNAP
	SOCKS SSH SSL SSLKEYLOGFILE SUDO SWIFT SYSTEM SYSTEMD SYSTEMROOT TCL TEMP TERM TERMINFO TF TLS TMP TMPDIR TMUX TOX TSAN TZ UBSAN USER
	USERPROFILE UV VCPKG VIM VIRTUAL VIRTUALENV VISUAL VOLTA WAYLAND WGET WGETRC WINDIR WINDOWS WINE WSL X11 XAUTHORITY XDG YARN YUM ZDOTDIR ZSH`)

// AllowsVariable reports whether a definition can set a variable.
func AllowsVariable(name string) bool { return refusedVariable(name) == "" }

// refusedVariable returns why a definition cannot set a variable, or "".
func refusedVariable(name string) string {
	word, _, _ := strings.Cut(strings.ToUpper(name), "_")
	switch {
	case !validVariable.MatchString(name):
		return fmt.Sprintf("%.80q is not a valid variable name", name)
	case otherVariables[name] != "" || registryToken.MatchString(name) || apiKeyShape.MatchString(name) && word != "AUTHSOME":
		return ""
	case slices.Contains(toolWords, word):
		return name + " can change how programs run: its first word is that of a tool or the system"
	case !variableShape.MatchString(name):
		return name + " does not have the name of a credential or an address, such as ACME_API_KEY, ACME_TOKEN or ACME_BASE_URL"
	}
	return ""
}

// refusedValue returns why a variable cannot have its value, or "". An address in it
// must be one of the service's hosts: otherwise a definition could lead the clients of
// another service elsewhere.
func (d *Definition) refusedValue(e Env) string {
	scheme, rest, isURL := strings.Cut(e.Value, "://")
	if !isURL {
		return ""
	}
	if scheme != "https" {
		return e.Name + " has an address that is not https"
	}
	authority, _, _ := strings.Cut(rest, "/")
	authority = authority[strings.LastIndexByte(authority, '@')+1:] // a DSN has the key in it
	own := slices.ContainsFunc(d.hosts, func(h host) bool {
		fixed := h.names == nil && (names(authority) == nil || h.pattern.kind == Wildcard)
		return h.text == authority || fixed && h.pattern.MatchHost(fillWithLetter(authority))
	})
	if !own {
		return e.Name + " has the address of a host that is not in hosts"
	}
	return ""
}

// checkPlaceholder checks that the proxy recognises a placeholder, that it contains
// no secret, and that it has the shape that clients check.
func (d *Definition) checkPlaceholder(field string, e Env) error {
	secret := slices.ContainsFunc(names(e.Value), d.secret)
	if !secret {
		if e.Placeholder != "" {
			return &FieldError{field, "the value contains no secret, so the command gets the value itself", "remove the placeholder"}
		}
		return nil
	}
	if e.Placeholder != "" {
		marked := false
		for _, name := range names(e.Placeholder) {
			if d.secret(name) {
				return &FieldError{field, "{" + name + "} is a secret", "use {mark} instead"}
			}
			marked = marked || marks[name] != ""
		}
		if !marked {
			return &FieldError{field, "a placeholder without {mark} is not recognised", "write {mark} in place of the secret part"}
		}
		if err := d.checkNames(field, e.Placeholder, markNames...); err != nil {
			return err
		}
	}
	in := names(e.Value)
	p := d.Param(in[0])
	if p == nil || p.Pattern == "" || e.Value != "{"+p.Name+"}" {
		return nil
	}
	text := d.placeholder(e)
	if names(text) == nil && !regexp.MustCompile(`^(?:`+p.Pattern+`)$`).MatchString(text) {
		return &FieldError{field, fmt.Sprintf("%q does not match the pattern of %s, so clients may refuse it", text, p.Name), "change the placeholder"}
	}
	return nil
}
