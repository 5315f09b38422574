package signin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// Names of the ways to log in to a provider that needs a client of the user's.
const (
	wayToken  = "token"  // enter a token, here or with another provider of the same service
	wayApp    = "app"    // create a client, and sign in in the browser
	wayDevice = "device" // create a client, and sign in with a code
)

// errOtherProvider says that the user wants to enter a token, which is stored for
// Options.Token.
var errOtherProvider = errors.New("a token of another provider")

// ways are the ways to choose among, or nil if the command line or an earlier login has
// decided, or if nobody can be asked.
func (l *Login) ways() []loopback.Choice {
	if l.o.KeyStdin || l.o.SecretsStdin || l.browser == nil && l.terminal == nil {
		return nil
	}
	usual := l.flow
	needsApp := (usual == providers.FlowPKCE || usual == providers.FlowDeviceCode && l.deviceClient() == secretRequired) && l.d.OAuth.ClientID == ""
	if !needsApp || len(l.known.Clients) > 0 || l.isGiven(valueClientID) {
		return nil
	}
	var ways []loopback.Choice
	canPaste := (l.tokenProvider() != nil || l.d.HasFlow(providers.FlowAPIKey)) && l.o.Scopes == nil
	if canPaste && !l.hasToken {
		ways = append(ways, loopback.Choice{Name: wayToken, Title: "Paste a token", Text: "Create one at " + l.d.DisplayName + " and enter it. The quickest way."})
	}
	if l.d.HasFlow(providers.FlowPKCE) {
		ways = append(ways, loopback.Choice{Name: wayApp, Title: "Create an OAuth app", Text: "A few minutes, once. Then sign in in the browser."})
	}
	if l.d.HasFlow(providers.FlowDeviceCode) {
		ways = append(ways, loopback.Choice{Name: wayDevice, Title: "Use a device code", Text: "Needs an OAuth app, too. Sign in with a short code."})
	}
	if canPaste && l.hasToken { // last, because it ends with an error
		ways = append(ways, loopback.Choice{Name: wayToken, Title: "Paste a token", Text: "One works already: " + l.o.Token.Name + "/" + l.o.Connection + "."})
	}
	if len(ways) < 2 {
		return nil
	}
	return ways
}

// tokenProvider is the provider for which the user can enter a token, or nil.
func (l *Login) tokenProvider() *providers.Definition {
	if l.o.Token == nil || l.o.Token.Flows[0] != providers.FlowAPIKey {
		return nil
	}
	return l.o.Token
}

// findToken reports whether a token that could be entered is stored already. It is replaced
// only with --force.
func (l *Login) findToken(ctx context.Context, credentials *auth.Auth) bool {
	if l.o.Force || l.d.HasFlow(providers.FlowAPIKey) || l.tokenProvider() == nil {
		return false
	}
	c, err := credentials.Connection(ctx, l.o.Token.Name, l.o.Connection)
	return err == nil && c.Err(time.Now()) == nil
}

// choose asks for one of the ways, and sets the flow. The error is errOtherProvider if
// the token is one of another provider.
func (l *Login) choose(ctx context.Context, ways []loopback.Choice) error {
	needs := " needs an OAuth app of yours. How do you want to sign in?"
	if ways[0].Name == wayToken {
		needs = " needs a token or an OAuth app of yours. How do you want to connect?"
	}
	purpose := l.d.DisplayName + needs
	ask := l.chooseOnTerminal
	if l.browser != nil {
		ask = l.chooseOnPage
	}
	way, err := ask(ctx, purpose, ways)
	if err != nil {
		return err
	}
	l.chosen = true
	switch {
	case way == wayToken && !l.d.HasFlow(providers.FlowAPIKey):
		return errOtherProvider
	case way == wayToken:
		l.flow = providers.FlowAPIKey
	case way == wayDevice:
		l.flow = providers.FlowDeviceCode
	default:
		l.flow = providers.FlowPKCE
	}
	return nil
}

func (l *Login) chooseOnPage(ctx context.Context, purpose string, ways []loopback.Choice) (way string, err error) {
	page, err := l.server()
	if err != nil {
		return "", err
	}
	err = l.onPage(ctx, func(ctx context.Context) (err error) {
		way, err = page.Choose(ctx, purpose, ways)
		return err
	})
	if errors.Is(err, errNotVisited) {
		err = l.notGiven(err, required(l.clientFields()))
	}
	return way, err
}

func (l *Login) chooseOnTerminal(ctx context.Context, purpose string, ways []loopback.Choice) (string, error) {
	l.show("%s", purpose)
	for i, w := range ways {
		l.showItem(i+1, w.Title+". "+w.Text)
	}
	between := "to"
	if len(ways) == 2 {
		between = "or"
	}
	for try := 1; ; try++ {
		typed, err := l.terminal.Ask(ctx, fmt.Sprintf("Choose 1 %s %d [1]: ", between, len(ways)), false)
		if errors.Is(err, terminal.ErrEnded) {
			return "", l.notGiven(errNoAnswer, required(l.clientFields()))
		}
		if err != nil {
			return "", err
		}
		typed = strings.TrimSpace(typed)
		if typed == "" {
			typed = "1"
		}
		if n, err := strconv.Atoi(typed); err == nil && n >= 1 && n <= len(ways) {
			return ways[n-1].Name, nil
		}
		err = fmt.Errorf("not a number from 1 to %d", len(ways))
		if try == maxTries {
			return "", &valueError{provider: l.d.Name, label: "Choice", err: err}
		}
		l.show("%v", err)
	}
}

// appSteps are the steps to create a client, in order.
func (l *Login) appSteps(redirectURL string) []string {
	scopes := l.scopes()
	if scopes == nil {
		scopes = l.d.OAuth.Scopes
	}
	if steps := l.d.OAuth.Steps(l.flow, redirectURL, scopes); len(steps) > 0 {
		return steps
	}
	var steps []string
	if redirectURL != "" {
		steps = append(steps, "Set the app's redirect URL to "+redirectURL)
	}
	return append(steps, "Copy its client ID, and its client secret if it has one")
}

// maxLine is the width up to which text is wrapped, in columns.
const maxLine = 80

// wrapped breaks a text for the console, which puts the name of the program in front.
func wrapped(text string) string {
	return strings.Join(show.Wrap(text, maxLine-len("authsome: ")), "\n")
}

// showItem prints an item of a numbered list.
func (l *Login) showItem(n int, text string) {
	indent := fmt.Sprintf("%3d. ", n)
	for _, line := range show.Wrap(show.Visible(text), min(l.terminal.Width, maxLine)-len(indent)) {
		fmt.Fprintln(l.terminal.Out, indent+line)
		indent = strings.Repeat(" ", len(indent))
	}
}
