package signin

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/hosts"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// A redirect URL is one string, which is shown, registered and sent, also to the token
// endpoint (RFC 6749 section 4.1.3). A client that the user registered has the one that
// the registration was told: of --redirect-url, of an earlier login, or of the
// definition. Only a client that the login registers itself gets a random path, by which
// the answers of two servers cannot be mixed up (RFC 9700 section 4.4.2).

// checkRedirectURL checks the value of --redirect-url.
func (l *Login) checkRedirectURL() error {
	if l.o.RedirectURL == "" {
		return nil
	}
	if !slices.ContainsFunc(l.d.Flows, inBrowser) || l.o.Flow != "" && !inBrowser(l.o.Flow) {
		return exit.Usagef("--redirect-url: a login to %s does not end with a redirect", l.d.Name)
	}
	u, err := url.Parse(l.o.RedirectURL)
	switch {
	case strings.ContainsAny(l.o.RedirectURL, " \t\r\n"): // a server compares the text, and no client can be registered with this one
		err = errors.New("a URL has no blanks")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		err = errors.New("expected a URL without a query, such as http://localhost:8080/callback")
	case u.Scheme == "https":
	case u.Scheme != "http" || u.Hostname() != "127.0.0.1" && !strings.EqualFold(u.Hostname(), "localhost"):
		err = errors.New("expected http://127.0.0.1, http://localhost or an https address")
	case u.Port() == "":
		err = errors.New("a port is missing, as in http://localhost:8080/callback")
	default:
		if port, atoiErr := strconv.Atoi(u.Port()); atoiErr != nil || port < 1 || port > 65535 {
			err = fmt.Errorf("%s is not a port, which is a number from 1 to 65535", u.Port())
		}
	}
	if err != nil {
		return exit.WithHint(exit.Usagef("--redirect-url: %v", err), l.repeat("--redirect-url"))
	}
	return nil
}

// inBrowser reports whether a flow ends with a redirect of the browser.
func inBrowser(flow string) bool {
	return flow == providers.FlowPKCE || flow == providers.FlowDCRPKCE
}

// listenForOwn listens for the redirect to a client that the user registered, and sets
// redirectURL. c is that client, or zero if the user will be asked for it. Flows without
// a redirect need nothing.
func (l *Login) listenForOwn(c flows.Client) error {
	if !inBrowser(l.flow) {
		return nil
	}
	l.ownRedirect = true
	if given := l.o.RedirectURL; given != "" {
		return l.listenAt(given, false)
	}
	if len(c.RedirectURIs) > 0 {
		return l.listenAt(c.RedirectURIs[0], false)
	}
	r, anyPort := l.d.OAuth.RegisteredRedirect()
	if r.URL != "" {
		return l.listenAt(r.URL, false)
	}
	at := url.URL{Scheme: "http", Host: net.JoinHostPort(r.Host, strconv.Itoa(r.Port)), Path: r.Path}
	return l.listenAt(at.String(), anyPort)
}

// keepRedirectURL records --redirect-url in the user's client, for later logins.
func (l *Login) keepRedirectURL(c *flows.Client) {
	if l.o.RedirectURL != "" {
		c.RedirectURIs = []string{l.o.RedirectURL}
	}
}

// registered reports whether a login registered the client: only a registration says
// how the client authenticates.
func registered(c flows.Client) bool { return c.TokenAuth != "" }

// listenForRegistered listens for the redirect to a client that a login registers. The
// address of c, which an earlier login registered, is tried first: at another one, a new
// client must be registered. c may be zero.
func (l *Login) listenForRegistered(c flows.Client) error {
	l.ownRedirect = false
	if l.o.RedirectURL != "" {
		return l.listenAt(l.o.RedirectURL, false)
	}
	for _, uri := range c.RedirectURIs {
		if at, err := url.Parse(uri); err == nil && at.Scheme == "http" && hosts.IsLoopback(at.Hostname()) {
			return l.listenAt(uri, true)
		}
	}
	page, err := l.server()
	if err != nil {
		return err
	}
	var at loopback.Redirect
	if r := l.d.OAuth.Redirect; r != nil {
		if r.URL != "" {
			return l.listenAt(r.URL, false)
		}
		at = loopback.Redirect{Host: r.Host, Port: r.Port, Path: r.Path}
	}
	if err := page.ListenForRedirect(at); err != nil {
		return err
	}
	l.redirectURL = page.RedirectURI()
	return nil
}

// listenAt listens for the redirect to a URL, and sets redirectURL to it. If its port is
// taken and anyPort is set, it uses another one. An https URL is not served here: the
// user pastes the address of the page.
func (l *Login) listenAt(address string, anyPort bool) error {
	at, err := url.Parse(address)
	if err != nil {
		return errors.New("the redirect URL is not a URL")
	}
	page, err := l.server()
	if err != nil {
		return err
	}
	l.redirectURL, l.elsewhere = address, at.Scheme == "https"
	if l.elsewhere {
		return nil
	}
	r := loopback.Redirect{Host: strings.ToLower(at.Hostname()), Path: at.Path}
	if r.Path == "" {
		r.Path = "/"
	}
	if r.Port, err = strconv.Atoi(at.Port()); err != nil {
		r.Port = 80
	}
	err = page.ListenForRedirect(r)
	if _, taken := errors.AsType[*loopback.PortError](err); taken && anyPort {
		r.Port = 0
		if err = page.ListenForRedirect(r); err == nil {
			l.redirectURL = page.RedirectURI()
		}
	}
	return err
}

// showRedirectURL says which redirect URL the user's client must have: a server that
// does not know it says so only in the browser.
func (l *Login) showRedirectURL(clientID string) {
	if l.ownRedirect && clientID != l.d.OAuth.ClientID {
		l.console.Infof("the OAuth app's redirect URL must be %s", l.redirectURL)
	}
}
