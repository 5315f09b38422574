package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
)

// errTimeout is the cause when --timeout has passed.
var errTimeout = errors.New("the login was not finished in time")

// loginError is a login that the user, the provider or the network ended. Its
// server's text is somebody else's words, and marked as such.
type loginError struct {
	provider string
	err      error
	server   string
}

func (e *loginError) Error() string {
	s := e.err.Error()
	if !strings.HasPrefix(s, e.provider+":") {
		s = e.provider + ": " + s
	}
	if e.server != "" {
		s += "; its server says: " + e.server
	}
	return s
}

func (e *loginError) Unwrap() error { return e.err }

// explain gives an error of a flow the words and the hint for the user.
func (l *loginRun) explain(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errInterrupted) {
		return err
	}
	if context.Cause(ctx) == errTimeout {
		return withHint(&loginError{provider: l.d.Name, err: fmt.Errorf("%w (%v)", errTimeout, l.o.timeout)}, "%s", l.again())
	}
	if _, usage := errors.AsType[*usageError](err); usage || ctx.Err() != nil {
		return err
	}
	if _, store := classifyStore(err); store {
		return err
	}
	if _, told := errors.AsType[*hinted](err); told {
		return err
	}
	if e, ok := errors.AsType[*flows.AuthorizationError](err); ok {
		return withHint(&loginError{l.d.Name, err, e.Description}, "%s", l.again())
	}
	if e, ok := errors.AsType[*flows.TokenError](err); ok {
		hint := l.again()
		if e.Code == "invalid_client" || e.Code == "unauthorized_client" || e.Code == "incorrect_client_credentials" {
			hint += " --reset" // asks for the client again
		}
		return withHint(&loginError{l.d.Name, err, e.Description}, "%s", hint)
	}
	if _, ok := errors.AsType[*loopback.PortError](err); ok {
		// Another login may be waiting there.
		return withHint(&loginError{provider: l.d.Name, err: fmt.Errorf("%w; end what listens there first", err)}, "%s", l.again())
	}
	if errors.Is(err, flows.ErrRefused) {
		return withHint(&loginError{provider: l.d.Name, err: err}, "%s --no-verify", l.again())
	}
	if _, ok := errors.AsType[*valueError](err); ok {
		return withHint(err, "%s", l.again())
	}
	if errors.Is(err, errNoKey) {
		return withHint(&loginError{provider: l.d.Name, err: err}, "%s", l.howToGive(l.wanted()))
	}
	return withHint(&loginError{provider: l.d.Name, err: err}, "%s", l.again())
}

// again is the command that this login was started with, as far as it matters.
func (l *loginRun) again() string {
	command := l.command()
	switch {
	case l.o.keyStdin:
		command += " --key-stdin < FILE"
	case l.o.secretsStdin:
		command += " --secrets-stdin < FILE"
	}
	return command
}

// command is again without the ways in which it was given values.
func (l *loginRun) command() string {
	command := loginCommand(l.d.Name, l.o.connection)
	if l.o.flow != "" {
		command += " --flow " + l.o.flow
	}
	if l.o.baseURL != "" {
		command += " --base-url URL"
	}
	if l.o.force {
		command += " --force"
	}
	return command
}

// finish tells the browser how it ended, if there is one, and ends the server.
func (l *loginRun) finish(ctx context.Context, c auth.Connection, err error) {
	if l.page == nil {
		return
	}
	defer l.page.Close()
	if err == nil {
		l.page.Finish(ctx, loopback.Outcome{
			Connection: c.Name, Account: l.accountName(c), Scopes: c.Scopes, Hosts: l.hosts(c.Values()), Notes: l.notes, Next: "authsome run -- COMMAND",
		})
		return
	}
	if errors.Is(err, errInterrupted) || ctx.Err() != nil { // Ctrl-C ends at once
		return
	}
	o := loopback.Outcome{Problem: err.Error()}
	if e, ok := errors.AsType[*loginError](err); ok {
		o.Problem, o.Server = e.err.Error(), e.server
	}
	if hint := judge(err).hint; strings.HasPrefix(hint, "authsome ") {
		o.Next = hint
	}
	l.page.Finish(ctx, o)
}

// accountName is whose account it is, as far as that is known.
func (l *loginRun) accountName(c auth.Connection) string {
	for _, name := range []string{c.Account.Label, l.by.Label, c.Account.ID, l.by.ID} {
		if name != "" {
			return name
		}
	}
	return ""
}
