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
	// errTimeout is the context's cause when --timeout has passed.
	errTimeout = errors.New("the login did not finish in time")
	// errNoAnswer is the error of a question that was not answered.
	errNoAnswer = errors.New("nothing was entered")
	// errNotVisited is the error of a page that no browser opened.
	errNotVisited = errors.New("no browser opened the page")
	// errEmptyInput is the error of --key-stdin without a key.
	errEmptyInput = errors.New("standard input is empty")
)

// authenticationFailed is the verdict of a login that did not obtain a credential.
func authenticationFailed() exit.Verdict {
	return exit.Verdict{Code: exit.Authentication, Name: "AuthenticationFailed"}
}

// loginError is a login that the user, the provider or the network ended.
type loginError struct {
	provider string
	err      error
	server   string // text of the authorization server, which is shown as such
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

// Verdict implements the interface of package exit.
func (e *loginError) Verdict() exit.Verdict { return authenticationFailed() }

// valueError is an invalid value. It does not contain the value.
type valueError struct {
	provider, label string
	flag            string // that has the value; empty if it is not on the command line
	err             error
}

func (e *valueError) Error() string {
	if e.flag != "" {
		return fmt.Sprintf("%s: %v", e.flag, e.err)
	}
	return fmt.Sprintf("%s for %s: %v", show.LowerFirst(e.label), e.provider, e.err)
}

func (e *valueError) Unwrap() error { return e.err }

// Verdict implements the interface of package exit.
func (e *valueError) Verdict() exit.Verdict {
	if e.flag != "" {
		return exit.Verdict{Code: exit.Usage, Name: "UsageError"}
	}
	return authenticationFailed()
}

// explain adds the provider, the server's text and the command to run next to an error
// of a flow.
func (l *Login) explain(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, terminal.ErrInterrupted) || errors.Is(err, errOtherProvider) || errors.Is(err, loopback.ErrBack) {
		return err
	}
	failed := func(err error, server string, next suggest.Suggestion) error {
		return exit.WithHint(&loginError{l.d.Name, err, server}, next)
	}
	if context.Cause(ctx) == errTimeout {
		next := l.repeat("")
		if l.mayBePurged {
			next = l.withOtherClient()
		}
		return failed(fmt.Errorf("%w (%v)", errTimeout, l.o.Timeout), "", next)
	}
	if _, usage := errors.AsType[*exit.UsageError](err); usage || ctx.Err() != nil || exit.IsStore(err) || exit.HasHint(err) {
		return err
	}
	if e, ok := errors.AsType[*flows.AuthorizationError](err); ok {
		return failed(err, e.Description, l.repeatAfter(err))
	}
	if e, ok := errors.AsType[*flows.TokenError](err); ok {
		return failed(err, e.Description, l.repeatAfter(err))
	}
	if _, ok := errors.AsType[*loopback.PortError](err); ok {
		return failed(fmt.Errorf("%w; another login may be waiting there: end it first", err), "", l.repeat(""))
	}
	if errors.Is(err, flows.ErrNoPKCE) {
		return failed(err, "", l.repeat("").With("--allow-no-pkce"))
	}
	if errors.Is(err, errNotVisited) {
		return failed(err, "", l.repeat("").With("--no-browser"))
	}
	return failed(err, "", l.repeat(""))
}
