package signin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
)

var (
	// errTimeout is the cause when --timeout has passed.
	errTimeout = errors.New("the login did not finish in time")
	// errNoValue says that nothing was entered, or that the input was empty.
	errNoValue = errors.New("nothing was entered")
)

// authenticationFailed is the verdict of a login that did not obtain a credential.
func authenticationFailed() exit.Verdict {
	return exit.Verdict{Code: exit.Authentication, Name: "AuthenticationFailed"}
}

// loginError is a login that the user, the provider or the network ended. The
// server's text is marked as the server's.
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

// Verdict is what package exit asks for.
func (e *loginError) Verdict() exit.Verdict { return authenticationFailed() }

// missingValueError says which values are missing and cannot be asked for.
type missingValueError struct {
	provider string
	labels   []string
	looked   string // where they were looked for
}

func (e *missingValueError) Error() string {
	return fmt.Sprintf("%s: no %s: %s, and there is no terminal to ask on", e.provider, strings.Join(e.labels, ", no "), e.looked)
}

// Verdict is what package exit asks for.
func (e *missingValueError) Verdict() exit.Verdict { return authenticationFailed() }

// valueError is an invalid value. It does not contain the value.
type valueError struct {
	provider, label string
	argument        bool // the value is on the command line
	err             error
}

func (e *valueError) Error() string {
	return fmt.Sprintf("%s for %s: %v", show.LowerFirst(e.label), e.provider, e.err)
}

func (e *valueError) Unwrap() error { return e.err }

// Verdict is what package exit asks for.
func (e *valueError) Verdict() exit.Verdict {
	if e.argument {
		return exit.Verdict{Code: exit.Usage, Name: "UsageError"}
	}
	return authenticationFailed()
}

// explain gives an error of a flow its words and what to do next.
func (l *Login) explain(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, terminal.ErrInterrupted) {
		return err
	}
	failed := func(err error, server string, next suggest.Suggestion) error {
		return exit.WithHint(&loginError{l.d.Name, err, server}, next)
	}
	if context.Cause(ctx) == errTimeout {
		return failed(fmt.Errorf("%w (%v)", errTimeout, l.o.Timeout), "", l.repeat())
	}
	if _, usage := errors.AsType[*exit.UsageError](err); usage || ctx.Err() != nil || exit.IsStore(err) || exit.HasHint(err) {
		return err
	}
	if e, ok := errors.AsType[*flows.AuthorizationError](err); ok {
		return failed(err, e.Description, l.repeat())
	}
	if e, ok := errors.AsType[*flows.TokenError](err); ok {
		next := l.repeat()
		if e.Code == "invalid_client" || e.Code == "unauthorized_client" || e.Code == "incorrect_client_credentials" {
			next = next.With("--reset") // asks for the client again
		}
		return failed(err, e.Description, next)
	}
	if _, ok := errors.AsType[*loopback.PortError](err); ok {
		return failed(fmt.Errorf("%w; another login may be waiting there: end it first", err), "", l.repeat())
	}
	if errors.Is(err, flows.ErrRefused) {
		return failed(err, "", l.repeat().With("--no-verify"))
	}
	if _, ok := errors.AsType[*valueError](err); ok {
		return exit.WithHint(err, l.repeat())
	}
	if errors.Is(err, errNoValue) {
		return failed(err, "", l.howToGive(l.wanted()))
	}
	return failed(err, "", l.repeat())
}

// repeat is the command that this login was started with, as far as it matters.
func (l *Login) repeat() suggest.Suggestion {
	s := l.command()
	switch {
	case l.o.KeyStdin:
		s = s.With("--key-stdin < FILE")
	case l.o.SecretsStdin:
		s = s.With("--secrets-stdin < FILE")
	}
	return s
}

// command is repeat without the flags that say where values come from.
func (l *Login) command() suggest.Suggestion {
	s := suggest.Login(l.d.Name, l.o.Connection)
	if l.o.Flow != "" {
		s = s.With("--flow " + l.o.Flow)
	}
	if l.o.BaseURL != "" {
		s = s.With("--base-url URL")
	}
	if l.o.Force {
		s = s.With("--force")
	}
	return s
}
