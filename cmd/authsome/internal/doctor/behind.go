package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/routing"
)

// checksBehindProxy returns the checks for a command that authsome run started.
func (d *Doctor) checksBehindProxy() []check {
	return []check{d.checkVariables, d.checkProxyAnswers, d.checkNoSecrets, d.checkBypass, d.checkEachClient}
}

// checkEachClient tries the clients, some at the same time, because a browser and a JVM
// take seconds. If the proxy does not answer, that is the one problem to report.
func (d *Doctor) checkEachClient(ctx context.Context) []finding {
	if d.checkProxyAnswers(ctx)[0].Status != statusOK {
		return nil
	}
	checks := slices.Concat(clientChecks, trustChecks)
	findings := make([][]finding, len(checks))
	var g errgroup.Group
	g.SetLimit(max(2, runtime.NumCPU()))
	for i, c := range checks {
		g.Go(func() error {
			findings[i] = c.run(ctx, d)
			return nil
		})
	}
	g.Wait()
	return slices.Concat(findings...)
}

// selfURL is the address of the page that the proxy itself serves.
const selfURL = "https://" + intercept.SelfHost + "/"

// keepVariables is the remedy for variables that are not as authsome run set them.
var keepVariables = suggest.ByPerson("start the command with authsome run, and do not change these variables after that")

// checkVariables checks that all variables name the same proxy, and that the
// certificate files exist.
func (d *Doctor) checkVariables(context.Context) []finding {
	first := d.Console.Getenv("HTTPS_PROXY")
	if first == "" {
		return problem("variables", "HTTPS_PROXY is not set", keepVariables)
	}
	for _, name := range []string{"https_proxy", "HTTP_PROXY", "http_proxy"} {
		if v := d.Console.Getenv(name); v != first {
			return problem("variables", name+" and HTTPS_PROXY name different proxies", keepVariables)
		}
	}
	for _, name := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"} {
		if _, err := os.Stat(d.Console.Getenv(name)); err != nil {
			return problem("variables", name+" names a file that cannot be read: "+d.Console.Getenv(name), keepVariables)
		}
	}
	return ok("variables", "all name the same proxy, and the certificate files exist")
}

func (d *Doctor) checkProxyAnswers(ctx context.Context) []finding {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := getSelf(ctx)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case untrusted && d.Client != nil && d.Client.Sidecar:
		return problem("proxy", "it answers, but this process does not trust its certificate", suggest.Advice("set SSL_CERT_FILE to a file with the certificate of its authority"))
	case untrusted:
		return problem("proxy", "it answers, but this process does not trust its certificate", keepVariables)
	case err != nil:
		return problem("proxy", "it does not answer: "+cause(err), suggest.ByPerson("start this command again with authsome run: the proxy of a run stops when its command ends"))
	case body != intercept.SelfAnswer:
		return problem("proxy", "another program answers at the proxy's address", keepVariables)
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

// cause is the reason of an error of package net or net/http, without the address and
// the names of operations.
func cause(err error) string {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return "timeout"
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err.Error()
}

// checkNoSecrets checks that none of authsome's secrets is in the environment of this
// process.
func (d *Doctor) checkNoSecrets(context.Context) []finding {
	for _, name := range []string{"AUTHSOME_PROXY_TOKEN", "AUTHSOME_MASTER_KEY_FILE", "AUTHSOME_PASSPHRASE_FILE", "SSLKEYLOGFILE"} {
		if d.Console.Getenv(name) != "" {
			return problem("secrets", name+" is set behind the proxy", suggest.Advice("unset it"))
		}
	}
	return ok("secrets", "the environment has none of authsome's secrets")
}

// checkBypass tries to reach the intercepted hosts directly. Only the machine's network
// can prevent that.
func (d *Doctor) checkBypass(ctx context.Context) []finding {
	if d.Client != nil && d.Client.Isolated {
		return ok("bypass", "this run is isolated: every connection goes to the proxy")
	}
	addresses, err := d.intercepted(ctx)
	if err != nil {
		return ok("bypass", "not checked: this process cannot read the vault")
	}
	direct := reachable(ctx, addresses)
	switch {
	case direct != "":
		return warning("bypass", "programs that ignore proxy settings reach "+withoutHTTPS(direct)+" directly, with placeholders", suggest.ByPerson("run the agent in a container that can only reach the sidecar"))
	case len(addresses) == 0:
		return ok("bypass", "not checked: no intercepted host has a known name")
	case len(addresses) == 1:
		return ok("bypass", "%s cannot be reached without the proxy", withoutHTTPS(addresses[0]))
	}
	return ok("bypass", "none of the %d intercepted hosts can be reached without the proxy", len(addresses))
}

// intercepted returns the addresses of the intercepted hosts.
func (d *Doctor) intercepted(ctx context.Context) ([]string, error) {
	if d.Client != nil {
		return d.Client.served.Addresses, d.Client.Err
	}
	t, err := d.table(ctx)
	if err != nil {
		return nil, err
	}
	return addresses(t), nil
}

// addresses returns the addresses of the hosts in a routing table. Wildcards have none.
func addresses(t *routing.Table) []string {
	var all []string
	for _, r := range t.Routes() {
		if a := net.JoinHostPort(r.Host, strconv.Itoa(r.Port)); !strings.HasPrefix(r.Host, ".") && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

// withoutHTTPS is an address without the port of https.
func withoutHTTPS(address string) string { return strings.TrimSuffix(address, ":443") }

// reachable returns the first of the addresses that accepts a TCP connection, or "". A
// single one that does not says little: its host may not exist any more.
func reachable(ctx context.Context, addresses []string) string {
	accepted := make(chan string, len(addresses))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, address := range addresses {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			if err != nil {
				return nil
			}
			c.Close()
			accepted <- address
			return errors.New("one is enough") // ends the others
		})
	}
	g.Wait()
	close(accepted)
	return <-accepted
}
