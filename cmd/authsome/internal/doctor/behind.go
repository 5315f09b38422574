package doctor

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/authsome/authsome/intercept"
)

// checksBehindProxy are those of a command that authsome run started.
func (d *Doctor) checksBehindProxy() []check {
	checks := []check{d.checkVariables, d.checkProxyAnswers, d.checkNoSecrets, d.checkBypass}
	for _, c := range clientChecks {
		checks = append(checks, func(ctx context.Context) []finding { return c.run(ctx, d) })
	}
	return checks
}

const selfURL = "https://" + intercept.SelfHost + "/"

// checkVariables checks that all variables name the same proxy, and certificate files
// that exist.
func (d *Doctor) checkVariables(context.Context) []finding {
	const remedy = "start the command with authsome run, and do not change these variables after that"
	first := d.Console.Getenv("HTTPS_PROXY")
	if first == "" {
		return problem("variables", "HTTPS_PROXY is not set", remedy)
	}
	for _, name := range []string{"https_proxy", "HTTP_PROXY", "http_proxy"} {
		if v := d.Console.Getenv(name); v != first {
			return problem("variables", name+" and HTTPS_PROXY name different proxies", remedy)
		}
	}
	for _, name := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"} {
		if _, err := os.Stat(d.Console.Getenv(name)); err != nil {
			return problem("variables", name+" names a file that cannot be read: "+d.Console.Getenv(name), remedy)
		}
	}
	return ok("variables", "all name the same proxy, and the certificate files exist")
}

func (d *Doctor) checkProxyAnswers(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := getSelf(ctx)
	switch {
	case err != nil:
		return problem("proxy", err.Error(), "authsome run starts a proxy for its command and stops it at the end: is this command still running inside it?")
	case body != intercept.SelfAnswer:
		return problem("proxy", "another program answers at the proxy's address", "check HTTPS_PROXY")
	}
	return ok("proxy", "it answers, and its certificate is trusted")
}

// getSelf gets the page that the proxy itself serves.
func getSelf(ctx context.Context) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, selfURL, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return string(b), err
}

// checkNoSecrets checks that none of authsome's secrets reached this process.
func (d *Doctor) checkNoSecrets(context.Context) []finding {
	for _, name := range []string{"AUTHSOME_PROXY_TOKEN", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE", "SSLKEYLOGFILE"} {
		if d.Console.Getenv(name) != "" {
			return problem("secrets", name+" is set behind the proxy", "unset it")
		}
	}
	return ok("secrets", "the environment has none of authsome's secrets")
}

// checkBypass tries to reach an intercepted host directly. Only the machine's network
// can prevent that.
func (d *Doctor) checkBypass(ctx context.Context) []finding {
	t, err := d.table(ctx)
	if err != nil {
		return ok("bypass", "not checked: the vault cannot be read from here")
	}
	for _, r := range t.Routes() {
		if strings.HasPrefix(r.Host, ".") {
			continue // a wildcard, which has no address
		}
		dialing, cancel := context.WithTimeout(ctx, 5*time.Second)
		direct, err := (&net.Dialer{}).DialContext(dialing, "tcp", net.JoinHostPort(r.Host, "443"))
		cancel()
		if err != nil {
			return ok("bypass", "%s cannot be reached without the proxy", r.Host)
		}
		direct.Close()
		return warning("bypass", "programs that ignore proxy settings reach "+r.Host+" directly, with placeholders", "run the agent in a container that can only reach the sidecar")
	}
	return ok("bypass", "not checked: there are no connections")
}
