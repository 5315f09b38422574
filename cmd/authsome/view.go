package main

import (
	"cmp"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
)

// connectionView is a connection in --json, for list, status, login, inspect and why.
type connectionView struct {
	Name      string     `json:"connection_name"`
	AuthType  string     `json:"auth_type"`
	Status    string     `json:"status"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"` // in UTC and whole seconds; null if it does not expire
	BaseURL   *string    `json:"base_url"`
	HostURL   *string    `json:"host_url"` // the first of the hosts that get the credential
	Default   bool       `json:"default"`
	Renewable bool       `json:"renewable"`         // its token is refreshed automatically
	Problem   string     `json:"problem,omitempty"` // why it needs a login, and since when
	Fix       string     `json:"fix,omitempty"`     // the command for that login
	Who       string     `json:"who,omitempty"`     // "person" behind the proxy

	Account       string     `json:"account,omitempty"`        // at the service, if it is known
	RejectedSince *time.Time `json:"rejected_since,omitempty"` // since when the service refuses the credential

	Waiting *waitingView `json:"waiting,omitempty"` // a changed definition that it does not use yet
	Shared  []sharedView `json:"shared,omitempty"`  // hosts that other connections cover too; not in why
}

func (a *app) viewConnection(c auth.Connection) connectionView {
	v := connectionView{Name: c.Name, AuthType: c.AuthType, Status: string(c.Status), Scopes: c.Scopes, Default: c.Default}
	v.BaseURL, v.HostURL = orNull(c.BaseURL), orNull(a.connectionHost(c))
	now := time.Now()
	v.Renewable, v.Waiting = c.Renewable(now), a.viewWaiting(c)
	if err := c.Err(now); err != nil {
		v.Problem = err.Detail()
		v.Fix, v.Who = a.Next(suggest.Login(c.Provider, c.Name))
	}
	if v.Scopes == nil {
		v.Scopes = []string{}
	}
	v.ExpiresAt = seconds(c.ExpiresAt)
	v.Account = cmp.Or(c.Account.Label, c.Account.ID)
	if p, err := a.profile(); err == nil && v.Problem == "" && !v.Renewable {
		v.RejectedSince = seconds(p.RejectedSince(c))
	}
	return v
}

// seconds is a time in UTC and whole seconds, or nil for the zero time.
func seconds(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// state is the status of a connection for a table.
func (c connectionView) state() string {
	if c.RejectedSince != nil {
		return "rejected"
	}
	return c.Status
}

// connectionLabel is a connection's name, marked if it is the default.
func connectionLabel(c auth.Connection) string { return label(c.Name, c.Default) }

func (c connectionView) label() string { return label(c.Name, c.Default) }

func label(name string, isDefault bool) string {
	if isDefault {
		return name + " (default)"
	}
	return name
}

// expiry says when the connection expires, for a table.
func (c connectionView) expiry(now time.Time) string {
	switch {
	case c.ExpiresAt == nil:
		return ""
	case c.Renewable && !now.Before(*c.ExpiresAt):
		return "refreshed when used"
	}
	return show.Relative(*c.ExpiresAt, now)
}

// sentence is the state of a connection in words.
func (c *connectionView) sentence(now time.Time) string {
	s := c.label() + ", " + c.Status
	if c.RejectedSince != nil {
		s += ", rejected by the service " + show.Relative(*c.RejectedSince, now)
	}
	if c.ExpiresAt == nil {
		return s
	}
	expired, when := !now.Before(*c.ExpiresAt), show.Relative(*c.ExpiresAt, now)
	switch {
	case expired && c.Status == string(auth.StatusExpired):
		s += " " + when
	case expired:
		s += ", expired " + when
	default:
		s += ", expires " + when
	}
	switch {
	case c.Renewable && expired:
		s += ", refreshed when used"
	case c.Renewable:
		s += ", refreshed automatically"
	}
	return s
}

// acknowledge prints the JSON answer of commands that change connections. The name of
// the connection is empty if all of the provider's were changed. The words for status
// are those of the Python authsome, for the commands that it had.
func (a *app) acknowledge(provider, connection, status string) error {
	if !a.JSON {
		return nil
	}
	return a.PrintJSON(struct {
		Provider   string `json:"provider"`
		Connection string `json:"connection,omitempty"`
		Status     string `json:"status"`
	}{provider, connection, status})
}
