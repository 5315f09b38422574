package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// authorize signs the user in at the provider, in a browser here or elsewhere.
func (l *Login) authorize(ctx context.Context) (flows.Obtained, error) {
	config, err := l.configure(ctx)
	if err != nil {
		return flows.Obtained{}, err
	}
	if err := l.checkStillKnown(ctx, config); err != nil {
		return flows.Obtained{}, err
	}
	token, err := l.tokenFor(ctx, config)
	if flows.UnknownClient(err) && l.registeredBefore(config) {
		if err := l.registerAgain(ctx, config); err != nil {
			return flows.Obtained{}, err
		}
		token, err = l.tokenFor(ctx, config)
	}
	if err != nil {
		return flows.Obtained{}, err
	}
	return l.withAccount(ctx, config, token), nil
}

// tokenFor has the user approve the login, and obtains the token.
func (l *Login) tokenFor(ctx context.Context, config *flows.Config) (flows.Token, error) {
	state, verifier := rand.Text(), flows.Verifier()
	address, err := config.AuthorizationURL(state, verifier, l.redirectURL, l.scopes())
	if err != nil {
		return flows.Token{}, err
	}
	l.showRedirectURL(config.Client.ID)
	callback, err := l.awaitAnswer(ctx, flows.Authorization{URL: address, State: state, Check: config.CheckIssuer})
	if err != nil {
		return flows.Token{}, err
	}
	l.console.Infof("approved; fetching the token")
	return config.Exchange(ctx, secret.New(callback.Get("code")), verifier, l.redirectURL, callback)
}

// withAccount returns a token as the flow's result. If the token endpoint named no
// account, it asks the service.
func (l *Login) withAccount(ctx context.Context, config *flows.Config, token flows.Token) flows.Obtained {
	if end := token.ExpiresAt; !end.IsZero() && !end.After(time.Now()) && token.RefreshToken.IsZero() {
		l.console.Warnf("%s issued a token that has already expired, and no refresh token", l.d.DisplayName)
	}
	if token.Account == (flows.Account{}) && l.d.Verify != nil {
		values := make(providers.Values)
		maps.Copy(values, config.Values)
		maps.Copy(values, token.Values)
		values["access_token"] = token.AccessToken
		account, err := l.verify(ctx, providers.Credential{Values: values, TokenType: token.TokenType})
		if err != nil {
			// The token is kept: the provider issued it, and the request may need other scopes.
			l.notes = []string{l.d.DisplayName + " issued the token but refused a first request with it. It may lack scopes."}
			l.console.Warnf("%s issued a token but refused a first request with it; it may lack scopes", l.d.DisplayName)
		}
		token.Account = account
	}
	return flows.Obtained{Token: token, Values: config.Values, Client: config.Client, Scopes: config.RequestedScopes(l.scopes())}
}

// awaitAnswer waits for the answer of the authorization server: the redirect, or an
// address that the user pastes if the browser is on another machine.
func (l *Login) awaitAnswer(ctx context.Context, a flows.Authorization) (url.Values, error) {
	if l.elsewhere && l.terminal == nil {
		return nil, fmt.Errorf("this login ends at %s, and you must paste the address of that page here, which needs a terminal", l.redirectURL)
	}
	paste := l.terminal != nil && (l.browser == nil || l.elsewhere)
	wait := l.page.Expect(a)
	if l.browser == nil {
		l.console.Notef("%s\n\n  %s\n", wrapped(fmt.Sprintf("sign in to %s%s: open this address in a browser", l.d.DisplayName, l.scopeText())), a.URL)
		if at, err := url.Parse(l.redirectURL); err == nil && paste && !l.elsewhere {
			// The command has its own line, so that it can be copied.
			l.console.Infof("%s\n  ssh -L %s:127.0.0.1:%s HOST", wrapped("on another machine the last page will not load: copy its address and paste it here, or forward the port first:"), at.Port(), at.Port())
		}
	}
	var got url.Values
	err := l.onPage(ctx, func(ctx context.Context) (err error) {
		if !paste {
			got, err = wait(ctx)
			return err
		}
		got, err = l.waitOrPaste(ctx, wait, a)
		return err
	})
	return got, err
}

// waitOrPaste returns the first answer, of the redirect or of the terminal.
func (l *Login) waitOrPaste(ctx context.Context, wait func(context.Context) (url.Values, error), a flows.Authorization) (url.Values, error) {
	type result struct {
		values url.Values
		err    error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, 2)
	go func() {
		values, err := wait(ctx)
		results <- result{values, err}
	}()
	go func() {
		values, err := l.paste(ctx, a)
		results <- result{values, err}
	}()
	first := <-results
	cancel()
	<-results
	return first.values, first.err
}

// paste asks for the address of the browser's last page, until it is an answer to this
// login. At the end of the input it waits, because the redirect may still come.
func (l *Login) paste(ctx context.Context, a flows.Authorization) (url.Values, error) {
	for {
		// The address contains a code, so it is hidden like a key.
		typed, err := l.terminal.Ask(ctx, "Address of the last page (hidden): ", true)
		if errors.Is(err, terminal.ErrEnded) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		values, err := a.Answer(l.redirectURL, typed)
		if !errors.Is(err, flows.ErrNotAnswer) {
			return values, err
		}
		if typed != "" {
			l.show("That is not the address of this login's last page, which begins with %s", l.redirectURL)
		}
	}
}

// scopeText says which scopes the login asks for, in parentheses after a space. It is
// empty without scopes.
func (l *Login) scopeText() string {
	scopes := l.scopes()
	if scopes == nil && l.d.OAuth != nil {
		scopes = l.d.OAuth.Scopes
	}
	if len(scopes) == 0 {
		return ""
	}
	return " (scopes: " + show.Text(scopes) + ")"
}
