package providers

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func (d *Definition) checkEnv() error {
	for i, e := range d.Env {
		at := fmt.Sprintf("env[%d].", i)
		switch {
		case !validVariable.MatchString(e.Name):
			return &FieldError{at + "name", fmt.Sprintf("%q is not the name of a variable", e.Name), ""}
		case commanding(e.Name):
			return &FieldError{at + "name", e.Name + " changes what the command does, not what it signs in with", "leave it out"}
		case slices.IndexFunc(d.Env, func(o Env) bool { return o.Name == e.Name }) < i:
			return &FieldError{at + "name", "it is there twice", ""}
		case e.Value == "":
			return &FieldError{at + "value", "missing", "as {api_key}"}
		}
		if err := d.checkNames(at+"value", e.Value); err != nil {
			return err
		}
		if err := d.checkPlaceholder(at+"placeholder", e); err != nil {
			return err
		}
	}
	return nil
}

// commanding reports whether a variable is read by shells, loaders, runtimes or
// by authsome itself: a definition could run code with it, or undo the proxy.
func commanding(name string) bool {
	upper := strings.ToUpper(name)
	for _, prefix := range []string{"LD_", "DYLD_", "AUTHSOME_", "GIT_", "NPM_CONFIG_", "BASH_FUNC_", "PIP_", "SSL_CERT_", "OPENSSL_", "XDG_", "DOTNET_", "CORECLR_", "SSH_"} {
		if strings.HasPrefix(upper, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"PATH", "HOME", "SHELL", "ENV", "IFS", "BASH_ENV", "ZDOTDIR", "PS4", "PROMPT_COMMAND", "EDITOR", "VISUAL", "PAGER", "LESSOPEN", "BROWSER", "TMPDIR",
		"GCONV_PATH", "HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "CURL_HOME", "WGETRC", "MAKEFLAGS", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO_HOME",
		"NODE_OPTIONS", "NODE_PATH", "NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED",
		"PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONWARNINGS", "PYTHONBREAKPOINT", "PYTHONPLATLIBDIR",
		"PERL5LIB", "PERL5OPT", "PERL5DB", "RUBYLIB", "RUBYOPT", "GEM_HOME", "GEM_PATH", "PHPRC", "PHP_INI_SCAN_DIR", "LUA_INIT",
		"JAVA_HOME", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "MAVEN_OPTS", "GRADLE_OPTS", "CLASSPATH", "GOFLAGS", "GOPROXY", "GOENV",
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE",
	}, upper)
}

// checkPlaceholder holds a placeholder to being one: recognisable, free of
// secrets, and in the shape that clients look for.
func (d *Definition) checkPlaceholder(field string, e Env) error {
	secret := slices.ContainsFunc(names(e.Value), d.secret)
	if !secret {
		if e.Placeholder != "" {
			return &FieldError{field, "the variable holds no secret, so the command gets its value", "leave it out"}
		}
		return nil
	}
	if e.Placeholder != "" {
		marked := false
		for _, name := range names(e.Placeholder) {
			if d.secret(name) {
				return &FieldError{field, "{" + name + "} is a secret", "{mark} stands for it"}
			}
			marked = marked || marks[name] != ""
		}
		if !marked {
			return &FieldError{field, "without {mark} it would not be recognised", "put {mark} where the secret part is"}
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
		return &FieldError{field, "it does not fit the pattern of " + p.Name + ", so clients may refuse it", fmt.Sprintf("now it is %s", text)}
	}
	return nil
}
