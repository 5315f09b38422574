package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// authorize signs the user in at the provider, in a browser here or elsewhere.
func (l *loginRun) authorize(ctx context.Context) (flows.Obtained, error) {
	page, err := l.loopback()
	if err != nil {
		return flows.Obtained{}, err
	}
	redirectURI := page.RedirectURI()
	if r := l.d.OAuth.Redirect; r != nil && r.URL != "" {
		redirectURI = r.URL
		if l.terminal == nil {
			return flows.Obtained{}, fmt.Errorf("%s sends its users to %s, and the address that they end at is pasted on a terminal: this is none", l.d.Name, r.URL)
		}
	}
	config, err := l.configure(ctx, redirectURI)
	if err != nil {
		return flows.Obtained{}, err
	}
	state, verifier := rand.Text(), flows.Verifier()
	address, err := config.AuthorizationURL(state, verifier, redirectURI, l.scopes())
	if err != nil {
		return flows.Obtained{}, err
	}
	callback, err := l.await(ctx, flows.Authorization{URL: address, State: state, Check: config.CheckIssuer}, redirectURI)
	if err != nil {
		return flows.Obtained{}, err
	}
	l.a.infof("%s agreed; getting the token", l.d.DisplayName)
	token, err := config.Exchange(ctx, secret.New(callback.Get("code")), verifier, redirectURI, callback)
	if err != nil {
		return flows.Obtained{}, err
	}
	return l.tokenObtained(ctx, config, token), nil
}

// tokenObtained adds whose token it is, if the service says so.
func (l *loginRun) tokenObtained(ctx context.Context, config *flows.Config, token flows.Token) flows.Obtained {
	if token.Account == (flows.Account{}) && l.d.Verify != nil {
		values := make(providers.Values)
		for name, value := range config.Values {
			values[name] = value
		}
		for name, value := range token.Values {
			values[name] = value
		}
		values["access_token"] = token.AccessToken
		account, err := l.verify(ctx, providers.Credential{Values: values, TokenType: token.TokenType})
		if err != nil {
			// The token is the provider's own; what it may not do is no reason to throw it away.
			l.notes = []string{l.d.DisplayName + " gave the token, but refused a first request with it: its scopes may not suffice."}
			l.a.warnf("%s gave a token, but refused a first request with it: its scopes may not suffice", l.d.Name)
		}
		token.Account = account
	}
	return flows.Obtained{Token: token, Values: config.Values, Client: config.Client}
}

// await waits for the answer of the authorization server: by the redirect, or
// pasted where the browser is on another machine.
func (l *loginRun) await(ctx context.Context, a flows.Authorization, redirectURI string) (url.Values, error) {
	elsewhere := redirectURI != l.page.RedirectURI()
	paste := l.terminal != nil && (l.browser == nil || elsewhere)
	wait := l.page.Expect(a)
	if l.browser == nil {
		l.a.tellf("sign in to %s%s: open this address in a browser\n\n  %s\n", l.d.DisplayName, l.scopeWords(), a.URL)
		if at, err := url.Parse(redirectURI); err == nil && paste && !elsewhere {
			l.a.infof("a browser on another machine ends at an address it cannot open: paste that address here, or forward the port first: ssh -L %s:127.0.0.1:%s HOST",
				at.Port(), at.Port())
		}
	}
	var got url.Values
	err := l.inBrowser(ctx, "the sign-in page of "+l.d.DisplayName, func(ctx context.Context) (err error) {
		if !paste {
			got, err = wait(ctx)
			return err
		}
		got, err = l.waitOrPaste(ctx, wait, a, redirectURI)
		return err
	})
	return got, err
}

func (l *loginRun) waitOrPaste(ctx context.Context, wait func(context.Context) (url.Values, error), a flows.Authorization, redirectURI string) (url.Values, error) {
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
		values, err := l.paste(ctx, a, redirectURI)
		results <- result{values, err}
	}()
	first := <-results
	cancel()
	<-results
	return first.values, first.err
}

// paste asks for the address that the browser ended at, until it is the right
// one. At the end of the input it goes on waiting: the redirect may still come.
func (l *loginRun) paste(ctx context.Context, a flows.Authorization, redirectURI string) (url.Values, error) {
	for {
		// What is pasted holds a code, and stays off the screen as a key does.
		typed, err := l.terminal.ask(ctx, "address that the browser ended at (not shown): ", true)
		if errors.Is(err, errEnded) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		values, err := a.Answer(redirectURI, typed)
		if !errors.Is(err, flows.ErrNotAnswer) {
			return values, err
		}
		if typed != "" {
			fmt.Fprintf(l.terminal.out, "this is not the address that this login ends with: it begins with %s\n", redirectURI)
		}
	}
}

// registered starts the server where the client is registered for. A client that
// was registered on the way has one address, port included, which is tried first;
// with another one it has to be registered anew.
func (l *loginRun) registered(page *loopback.Server) error {
	fixed := page.Port != 0
	if l.flow == providers.FlowDCRPKCE {
		for _, uri := range l.known.Client.RedirectURIs {
			at, err := url.Parse(uri)
			if err != nil || at.Scheme != "http" || at.Hostname() != "127.0.0.1" && at.Hostname() != "localhost" {
				continue
			}
			page.Host, page.Path = at.Hostname(), at.Path
			page.Port, _ = strconv.Atoi(at.Port())
			break
		}
	}
	err := page.Listen()
	if _, taken := errors.AsType[*loopback.PortError](err); taken && !fixed && page.Port != 0 {
		page.Port = 0
		err = page.Listen()
	}
	return err
}

// scopeWords say what is asked for.
func (l *loginRun) scopeWords() string {
	scopes := l.scopes()
	if scopes == nil && l.d.OAuth != nil {
		scopes = l.d.OAuth.Scopes
	}
	if len(scopes) == 0 {
		return ""
	}
	return " (scopes: " + text(scopes) + ")"
}
