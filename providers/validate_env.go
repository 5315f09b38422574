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
			return &FieldError{at + "name", fmt.Sprintf("%q is not a valid variable name", e.Name), ""}
		case controlsPrograms(e.Name):
			return &FieldError{at + "name", e.Name + " changes how programs run and cannot hold a credential", "remove it"}
		case slices.IndexFunc(d.Env, func(o Env) bool { return o.Name == e.Name }) < i:
			return &FieldError{at + "name", e.Name + " is listed twice", ""}
		case e.Value == "":
			return &FieldError{at + "value", "missing", "for example {api_key}"}
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

// controlsPrograms reports whether a variable is read by shells, loaders, runtimes or
// authsome itself. With such a variable a definition could run code or disable the
// proxy.
func controlsPrograms(name string) bool {
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
