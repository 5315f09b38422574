package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/providers"
)

// checkResult is what a check found out, in --json.
type checkResult string

const (
	checkWorks    checkResult = "works"    // the service accepted the credential
	checkRejected checkResult = "rejected" // the service refused it
	checkUnusable checkResult = "unusable" // it expired, was revoked, or needs a login for another reason
	checkUnknown  checkResult = "unknown"  // the service could not be asked, or its answer says nothing
	checkNone     checkResult = "none"     // its definition has no check
	checkSkipped  checkResult = "skipped"  // behind the proxy
)

// outcome is the result of one check.
type outcome struct {
	connection auth.Connection // as it is after the check
	result     checkResult
	detail     string             // why, if it does not work or is unknown
	account    string             // as the service names it; empty if it does not
	sent       bool               // the credential was sent
	next       suggest.Suggestion // what to do, if it does not work
}

const (
	maxChecks = 8                // at a time
	checkTime = 20 * time.Second // for one check, a refresh included
)

// checker asks services about credentials.
type checker struct {
	app         *app
	credentials *auth.Auth
	// offline sends nothing: behind the proxy an agent controls the variables that name
	// the proxy and the trusted certificates of this process.
	offline bool

	mu      sync.Mutex // guards waiting
	waiting []string   // the connections that are being checked
}

// checkAll checks all connections, some at a time.
func (c *checker) checkAll(ctx context.Context, connections []auth.Connection) []outcome {
	// Without the context's values: many requests at once are reported together.
	checking, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	defer c.app.Slow("%s", c)()
	outcomes := make([]outcome, len(connections))
	var group errgroup.Group
	group.SetLimit(maxChecks)
	for i, connection := range connections {
		group.Go(func() error {
			name := connection.Provider + "/" + connection.Name
			c.begin(name)
			defer c.end(name)
			ctx, cancel := context.WithTimeout(checking, checkTime)
			defer cancel()
			outcomes[i] = c.check(ctx, connection)
			return nil
		})
	}
	group.Wait()
	return outcomes
}

func (c *checker) begin(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, name)
}

func (c *checker) end(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(other string) bool { return other == name })
}

// String names what the command is waiting for.
func (c *checker) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "the services of " + strings.Join(c.waiting, ", ")
}

// check checks one connection. It uses the definition that the connection is pinned to,
// so the credential goes only where it may be sent.
func (c *checker) check(ctx context.Context, connection auth.Connection) outcome {
	o := outcome{connection: connection, next: suggest.Relogin(connection.Provider, connection.Name)}
	end := func(result checkResult, detail string) outcome {
		o.result, o.detail = result, detail
		return o
	}
	d, _, err := c.credentials.Definition(connection)
	if err != nil {
		o.next = suggest.Command("register FILE, or %s", suggest.Command("remove %s", connection.Provider).In(c.app.Profile))
		return end(checkUnusable, "the definition of "+connection.Provider+" is missing")
	}
	if login := connection.Err(time.Now()); login != nil {
		o.next = suggest.Login(connection.Provider, connection.Name)
		return end(checkUnusable, login.Detail())
	}
	switch {
	case c.offline:
		return end(checkSkipped, "no credential is sent behind the proxy")
	case d.Verify == nil:
		return end(checkNone, "its definition has no check")
	}
	fresh, err := c.credentials.Fresh(ctx, connection.Provider, connection.Name)
	if err != nil {
		return c.unusable(ctx, o, err)
	}
	o.connection, o.sent = fresh, true
	account, err := verify(ctx, d, fresh)
	if errors.Is(err, flows.ErrRefused) && fresh.Renewable(time.Now()) {
		// The proxy refreshes a token that is refused, so a login may be unnecessary.
		renewed, failed := c.credentials.FreshAfterRefusal(ctx, fresh)
		if failed != nil {
			return c.unusable(ctx, o, fmt.Errorf("the service refused its token, and refreshing it failed: %w", failed))
		}
		if o.connection = renewed; !renewed.AccessToken.Equal(fresh.AccessToken) {
			account, err = verify(ctx, d, renewed)
		}
	}
	switch {
	case errors.Is(err, flows.ErrRefused):
		return end(checkRejected, err.Error())
	case err != nil:
		return end(checkUnknown, strings.TrimPrefix(err.Error(), flows.ErrUnverified.Error()+": "))
	}
	o.account = cmp.Or(account.Label, account.ID)
	return end(checkWorks, "")
}

func verify(ctx context.Context, d *providers.Definition, c auth.Connection) (flows.Account, error) {
	return flows.Verify(ctx, nil, d, providers.Credential{Values: c.Values(), TokenType: c.TokenType})
}

// unusable is the result of a check if no credential is available because of err.
func (c *checker) unusable(ctx context.Context, o outcome, err error) outcome {
	login, ok := errors.AsType[*auth.LoginRequiredError](err)
	if !ok {
		o.result, o.detail = checkUnknown, exit.Message(err)
		return o
	}
	if now, err := c.credentials.Connection(ctx, o.connection.Provider, o.connection.Name); err == nil {
		o.connection = now
	}
	o.result, o.detail, o.next = checkUnusable, login.Detail(), suggest.Login(o.connection.Provider, o.connection.Name)
	return o
}

// remember stores what the services said: in the audit log, and for commands that do not
// ask them. In a home that cannot be written, status works all the same.
func (c *checker) remember(outcomes []outcome) {
	warned := false
	for _, o := range outcomes {
		if !o.sent {
			continue
		}
		err := c.app.record(audit.Event{Event: audit.Check, Provider: o.connection.Provider, Connection: o.connection.Name, Outcome: string(o.result)})
		if err != nil && !warned {
			warned = true
			c.app.Warnf("the audit log does not have these checks: %v", err)
		}
		c.rememberRejection(o)
	}
}

func (c *checker) rememberRejection(o outcome) {
	p, err := c.app.profile()
	if err != nil || o.connection.Renewable(time.Now()) {
		return
	}
	known := !p.RejectedSince(o.connection).IsZero()
	switch {
	case o.result == checkWorks && known:
		p.Rejections().Remove(sidecar.CredentialOf(o.connection))
	case o.result == checkRejected && !known:
		p.Rejections().Put(sidecar.CredentialOf(o.connection), time.Now())
	}
}
