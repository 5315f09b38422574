package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/secret"
)

// keepAddress uses the address of the connection that is logged in to again, unless
// another one was given: by a flag, on standard input or in a variable. Otherwise a new
// login to one's own instance would go to the usual one.
func (l *Login) keepAddress(ctx context.Context, credentials *auth.Auth) error {
	if _, given := l.given[valueBaseURL]; given || !l.d.AcceptsBaseURL() {
		return nil
	}
	old, err := credentials.Connection(ctx, l.d.Name, l.o.Connection)
	if err != nil {
		return nil // auth.Login reports it, unless there is no connection
	}
	if l.d.UsesBaseURL() {
		found, err := l.find(loopback.Field{Name: valueBaseURL, Label: baseURLLabel})
		if err != nil {
			return err
		}
		if !found.IsZero() {
			l.given[valueBaseURL] = givenValue{found, ""}
			return l.checkGivenBaseURL()
		}
	}
	if old.BaseURL == "" || old.BaseURL == l.d.BaseURL {
		return nil
	}
	l.console.Infof("using the address of %s/%s: %s", old.Provider, old.Name, old.BaseURL)
	l.given[valueBaseURL] = givenValue{secret.New(old.BaseURL), ""}
	return nil
}

// connected adds to the error for an existing connection the command that is meant: this
// login to another connection if it is for another address, else with --force.
func (l *Login) connected(ctx context.Context, credentials *auth.Auth, e *auth.ConnectedError, err error) error {
	if e.BaseURL == "" {
		l.o.Force = true
		return exit.WithHint(err, l.repeat(""))
	}
	all, errStored := credentials.Connections(ctx)
	if errStored != nil {
		return errors.Join(err, errStored)
	}
	taken := make(map[string]bool)
	for _, c := range all {
		if c.Provider != l.d.Name {
			continue
		}
		taken[c.Name] = true
		if auth.SameAddress(cmp.Or(c.BaseURL, l.d.BaseURL), l.baseURL()) {
			l.o.Connection, l.o.Force = c.Name, c.Err(time.Now()) == nil
			return exit.WithHint(err, l.repeat(""))
		}
	}
	l.o.Connection = nameFor(l.d.Name, l.baseURL(), taken)
	return exit.WithHint(err, l.repeat(""))
}

// nameFor proposes a name for a connection to an address: the first part of its host
// that says whose instance it is, else the host, else one of them with a number.
func nameFor(provider, address string, taken map[string]bool) string {
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = strings.ToLower(strings.NewReplacer(":", "-", "[", "", "]", "").Replace(u.Host))
	}
	names := []string{host}
	labels := strings.Split(host, ".")
	if top := labels[len(labels)-1]; !strings.ContainsAny(top, "0123456789") { // not an IP address, and without a port
		for _, label := range labels[:len(labels)-1] {
			if !slices.Contains(unspecific, label) && !strings.Contains(provider, label) {
				names = []string{label, host}
				break
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return home.ValidateName(name) != nil || len(name) > 60 })
	names = append(names, "other")
	for _, name := range names {
		if !taken[name] {
			return name
		}
	}
	for n := 2; ; n++ {
		if name := fmt.Sprintf("%s-%d", names[0], n); !taken[name] {
			return name
		}
	}
}

// unspecific are parts of hosts that say nothing about whose they are.
var unspecific = []string{"www", "api", "app", "mcp", "my", "sso", "cloud", "server", "default"}
