package providers

import (
	"slices"
	"strings"
	"testing"
)

// controlling are variables that shells, loaders, runtimes, tools and agents read: with
// one of them a definition could run code, replace a program or disable the proxy.
var controlling = strings.Fields(`
	PATH HOME SHELL ENV IFS BASH_ENV ZDOTDIR PS4 PROMPT_COMMAND EDITOR VISUAL PAGER LESSOPEN BROWSER TMPDIR TERM LANG USER LOGNAME HOSTNAME
	LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES GCONV_PATH HOSTALIASES RES_OPTIONS LOCALDOMAIN MALLOC_CONF
	NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED NODE_USE_ENV_PROXY PUPPETEER_DOWNLOAD_HOST PLAYWRIGHT_DOWNLOAD_HOST
	PYTHONPATH PYTHONSTARTUP PYTHONHOME PYTHONUSERBASE PYTHONWARNINGS PYTHONBREAKPOINT PERL5LIB PERL5OPT RUBYLIB RUBYOPT GEM_HOME PHPRC PHP_INI_SCAN_DIR
	JAVA_HOME JAVA_TOOL_OPTIONS JDK_JAVA_OPTIONS _JAVA_OPTIONS MAVEN_OPTS GRADLE_OPTS CLASSPATH GOFLAGS GOPROXY GOENV GONOSUMDB RUSTC_WRAPPER RUSTFLAGS
	CARGO_HOME CARGO_HTTP_PROXY DOTNET_STARTUP_HOOKS CORECLR_PROFILER LUA_INIT MAKEFLAGS CC CXX
	PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_INDEX_URL UV_DEFAULT_INDEX NPM_CONFIG_REGISTRY npm_config_registry YARN_NPM_REGISTRY_SERVER BUNDLE_MIRROR__ALL HOMEBREW_BOTTLE_DOMAIN
	GIT_SSH_COMMAND GIT_ASKPASS GIT_CONFIG_GLOBAL GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND SSH_ASKPASS SSH_AUTH_SOCK DOCKER_HOST KUBECONFIG KUBERNETES_SERVICE_HOST
	HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy FTP_PROXY SOCKS_PROXY PROXY_HOST PROXY_URL
	SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE SSLKEYLOGFILE OPENSSL_CONF AWS_CA_BUNDLE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
	AWS_CONTAINER_CREDENTIALS_FULL_URI GOOGLE_APPLICATION_CREDENTIALS CLOUDSDK_PYTHON CLOUDSDK_PROXY_ADDRESS OTEL_EXPORTER_OTLP_ENDPOINT
	AUTHSOME_HOME AUTHSOME_PROXY_MODE AUTHSOME_PROXY_TOKEN AUTHSOME_API_KEY XDG_CONFIG_HOME DBUS_SESSION_BUS_ADDRESS WGETRC CURL_HOME
	TOKEN KEY A ACME acme_api_key ACME_API_KEY_ ACME__KEY 1ACME_KEY ACME-KEY ACME_PATH ACME_COMMAND ACME_OPTS ACME_CONFIG ACME_PROXY ACME_CA_BUNDLE ACME_DIR ACME_FILE`)

func TestControllingVariablesAreRefused(t *testing.T) {
	for _, name := range controlling {
		_, err := Parse([]byte(`{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"env":[{"name":"` + name + `","value":"x"}]}`))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// In schema 1 the variable is left out, in each place that can name one, and named.
func TestControllingVariablesOfSchema1AreNotUsed(t *testing.T) {
	const text = `{"schema_version":1,"name":"a","display_name":"A","host_url":"a.com",`
	for _, name := range controlling {
		for _, rest := range []string{
			`"auth_type":"api_key","flow":"api_key","export":{"env":{"api_key":"` + name + `"}}}`,
			`"auth_type":"api_key","flow":"api_key","export":{"env":{"api_key":["A_KEY","` + name + `"]}}}`,
			`"auth_type":"api_key","flow":"api_key","export":{"` + name + `":"API_KEY"}}`,
			`"auth_type":"api_key","flow":"api_key","api_key":{"env_var":"` + name + `"}}`,
			`"auth_type":"oauth2","flow":"pkce","oauth":{"token_url":"https://a.com/t"},"export":{"env":{"access_token":"` + name + `"}}}`,
			`"auth_type":"oauth2","flow":"pkce","oauth":{"token_url":"https://a.com/t"},"client":{"client_id_env":"` + name + `"}}`,
			`"auth_type":"oauth2","flow":"pkce","oauth":{"token_url":"https://a.com/t"},"client":{"client_secret_env":"` + name + `"}}`,
		} {
			d := parse(t, text+rest)
			for _, v := range d.Variables() {
				if v.Name == name {
					t.Errorf("%s is set by %s", name, rest)
				}
			}
			if o := d.OAuth; o != nil && (o.ClientIDEnv != "" || o.ClientSecretEnv != "") {
				t.Errorf("%s is read by %s", name, rest)
			}
			if dropped := d.Dropped(); len(dropped) != 1 || !strings.Contains(dropped[0].Error(), name) {
				t.Errorf("%s: %v", rest, dropped)
			}
		}
	}
}

func TestVariablesOfCredentialsAndAddressesAreAllowed(t *testing.T) {
	for _, name := range strings.Fields(`ACME_API_KEY ACME_KEY ACME_TOKEN ACME_CLIENT_SECRET ACME_PASSWORD ACME_BASE_URL ACME_URL ACME_API_ENDPOINT ACME_HOST
		ACME_ORG_ID ACME_REGION ACME_USER ACME_USERNAME ACME_PROJECT X_API_KEY G2_TOKEN DOCKER_API_KEY GO_ACCESS_TOKEN SENTRY_DSN`) {
		if reason := refusedVariable(name); reason != "" {
			t.Error(reason)
		}
	}
}

// An address in a variable is one of the service's hosts, so that a definition cannot
// lead the clients of another service elsewhere.
func TestAddressInAVariableIsOneOfTheHosts(t *testing.T) {
	for value, allowed := range map[string]bool{
		"https://api.sample.com": true, "https://api.sample.com/v1": true, "https://x.wild.com": true, "https://{region}.wild.com/v1": true, "{base_url}": true, "false": true,
		"https://evil.com": false, "https://api.sample.com.evil.com": false, "https://api.sample.com@evil.com/": false, "http://api.sample.com": false,
		"ws://api.sample.com": false, "https://{region}": false, "https://{region}.evil.com": false, "https://api.sample.com:8443": false,
	} {
		_, err := Parse([]byte(`{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["api.sample.com","*.wild.com"],
			"params":[{"name":"api_key","secret":true},{"name":"region"}],"env":[{"name":"ACME_BASE_URL","value":"` + value + `"}]}`))
		if (err == nil) != allowed {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// Each exception is a variable of a bundled definition.
func TestExceptionsAreUsed(t *testing.T) {
	var used []string
	for _, d := range bundledSet(t).All() {
		for _, e := range d.Env {
			used = append(used, e.Name)
		}
	}
	for name, why := range otherVariables {
		plain := variableShape.MatchString(name) && !slices.Contains(toolWords, strings.Split(name, "_")[0])
		if !slices.Contains(used, name) || why == "" || plain {
			t.Errorf("%s needs no exception", name)
		}
	}
}

// Texts of a definition cannot change what the terminal shows around them.
func TestControlCharactersInTextsAreRefused(t *testing.T) {
	for field, text := range map[string]string{
		"display_name":    `{"schema_version":2,"name":"a","display_name":"A\u001b[1A","flows":["api_key"],"hosts":["a.com"]}`,
		"params[0].label": `{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"params":[{"name":"api_key","secret":true,"label":"K\r"}]}`,
		"params[0].hint":  `{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"params":[{"name":"api_key","secret":true,"hint":"K\u202e"}]}`,
		"env[0].value":    `{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"env":[{"name":"A_ID","value":"x\n"}]}`,
		"metadata.note":   `{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"metadata":{"note":"x\u0007"}}`,
	} {
		if _, err := Parse([]byte(text)); err == nil || err.Error() != field+": has a control character; remove it" {
			t.Errorf("%s: %v", field, err)
		}
	}
	d := parse(t, `{"schema_version":1,"name":"a","display_name":"A\u009b2J","auth_type":"api_key","flow":"api_key","host_url":"a.com","api_key":{"key_pattern_hint":"a\nb"}}`)
	if d.DisplayName != "A 2J" || d.Params[0].Hint != "a b" {
		t.Errorf("schema 1: %q, %q", d.DisplayName, d.Params[0].Hint)
	}
}
