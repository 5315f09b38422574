package signin

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/loopback"
)

// Finish shows in the browser how the login ended, if a page was opened, and stops the
// server.
func (l *Login) Finish(ctx context.Context, c auth.Connection, err error) {
	if l.page == nil {
		return
	}
	defer l.page.Close()
	if err == nil {
		l.page.Finish(ctx, loopback.Outcome{
			Connection: c.Name, Account: l.AccountName(c), Scopes: c.Scopes, Hosts: l.hosts(c.Values()), Notes: l.notes,
			Next: l.console.Suggest(suggest.Command("run -- COMMAND")),
		})
		return
	}
	if l.cancelledOnPage {
		l.page.Finish(ctx, loopback.Outcome{Cancelled: true, Next: l.console.Suggest(l.repeat(""))})
		return
	}
	if errors.Is(err, terminal.ErrInterrupted) || ctx.Err() != nil { // the user does not wait for a page
		return
	}
	o := loopback.Outcome{Problem: err.Error()}
	if e, ok := errors.AsType[*loginError](err); ok {
		o.Problem, o.Server = e.err.Error(), e.server
	}
	if next := exit.Judge(err).Next; next.IsCommand() {
		o.Next = l.console.Suggest(next)
	}
	l.page.Finish(ctx, o)
}

// Note adds a sentence to what Finish shows after a successful login.
func (l *Login) Note(sentence string) { l.notes = append(l.notes, sentence) }

// Cancelled is the error of a login that the user ended. It wraps
// [terminal.ErrInterrupted].
func (l *Login) Cancelled() error {
	return fmt.Errorf("login %w; nothing was changed", terminal.ErrInterrupted)
}

// AccountName is the name of the account at the provider, else its ID. It is empty if
// neither is known.
func (l *Login) AccountName(c auth.Connection) string {
	return cmp.Or(c.Account.Label, l.account.Label, c.Account.ID, l.account.ID)
}
