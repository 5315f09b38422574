package signin

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/bom"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// Options say how to log in.
type Options struct {
	Connection   string
	Flow         string   // if empty, the provider's usual one
	Scopes       []string // if nil, the usual ones
	BaseURL      string
	Params       []string // NAME=VALUE
	ClientID     string
	RedirectURL  string                // of the OAuth client; if empty, the usual one
	AllowNoPKCE  bool                  // accept a server that does not announce PKCE
	Token        *providers.Definition // the provider for a token to enter instead of signing in; may be nil
	Reset        bool                  // ask for the OAuth client again
	Force        bool                  // replace the connection if it exists
	NoBrowser    bool
	KeyStdin     bool // stdin has the one secret
	SecretsStdin bool // stdin has NAME=value lines
	NoVerify     bool // do not check the credential with the service
	Timeout      time.Duration
}

// Names of values that are not params of the definition, and of the usual param.
const (
	valueKey          = "api_key"
	valueBaseURL      = "base_url"
	valueClientID     = "client_id"
	valueClientSecret = "client_secret"
)

// givenValue is a value from the command line or from standard input.
type givenValue struct {
	secret.String
	flag string // the flag that has it; empty if it is from standard input
}

// readOptions collects the values of the command line and of standard input.
func (l *Login) readOptions() error {
	if err := l.checkFlow(); err != nil {
		return err
	}
	if err := l.checkClientFlags(); err != nil {
		return err
	}
	l.given = make(map[string]givenValue)
	for _, p := range l.o.Params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return exit.Usagef("--param %s: expected NAME=VALUE", p)
		}
		if param := l.d.Param(name); param != nil && param.Secret || name == valueClientSecret {
			return exit.WithHint(exit.Usagef("--param %s: other users can see secrets in arguments; write a line %s=VALUE into a file", name, name),
				suggest.Login(l.d.Name, l.o.Connection).With("--secrets-stdin < FILE"))
		}
		if providers.HasKeyPrefix(value) {
			return exit.WithHint(exit.Usagef("--param %s: this looks like a key, which other users can see in arguments", name),
				suggest.Login(l.d.Name, l.o.Connection).With("--key-stdin < FILE"))
		}
		if !l.setGiven(name, value, "--param "+name) {
			return exit.Usagef("--param %s: unknown value; %s has %s", name, l.d.Name, l.valueNames())
		}
	}
	if l.o.BaseURL != "" {
		if !l.d.AcceptsBaseURL() {
			return exit.WithHint(exit.Usagef("--base-url: the address of %s is fixed", l.d.Name), suggest.Login(l.d.Name, l.o.Connection))
		}
		l.given[valueBaseURL] = givenValue{secret.New(l.o.BaseURL), "--base-url"}
	}
	if l.o.ClientID != "" {
		l.given[valueClientID] = givenValue{secret.New(l.o.ClientID), "--client-id"}
	}
	if l.o.AllowNoPKCE && (l.d.OAuth == nil || l.d.OAuth.Discovery != "resource") {
		return exit.WithHint(exit.Usagef("--allow-no-pkce is for MCP servers; %s does not need it", l.d.Name), suggest.Login(l.d.Name, l.o.Connection))
	}
	if l.o.KeyStdin && l.o.SecretsStdin {
		return exit.Usagef("--key-stdin and --secrets-stdin cannot be used together")
	}
	if l.o.SecretsStdin {
		if err := l.readSecrets(l.console.In); err != nil {
			return err
		}
	}
	if err := l.checkRedirectURL(); err != nil {
		return err
	}
	return l.checkGivenBaseURL()
}

// checkClientFlags refuses flags about an OAuth client, which a login with a key would
// ignore.
func (l *Login) checkClientFlags() error {
	if l.d.OAuth != nil && l.o.Flow != providers.FlowAPIKey {
		return nil
	}
	flag := ""
	switch {
	case l.o.ClientID != "":
		flag = "--client-id"
	case len(l.o.Scopes) > 0:
		flag = "--scopes"
	case l.o.Reset:
		flag = "--reset"
	default:
		return nil
	}
	l.o.ClientID, l.o.Scopes, l.o.Reset = "", nil, false
	return exit.WithHint(exit.Usagef("%s: a login to %s with a key has no OAuth client", flag, l.d.Name), l.repeat(""))
}

// setGiven sets a value, unless the provider has no value of that name.
func (l *Login) setGiven(name, value, flag string) (known bool) {
	if l.d.Param(name) == nil {
		switch {
		case name == "url" && l.d.UsesBaseURL():
			name = valueBaseURL
		case name == valueBaseURL && l.d.AcceptsBaseURL(), name == valueClientID && l.d.OAuth != nil, name == valueClientSecret && l.d.OAuth != nil:
		default:
			return false
		}
	}
	l.given[name] = givenValue{secret.New(value), flag}
	return true
}

// valueNames lists the values that the provider has, for an error.
func (l *Login) valueNames() string {
	var names []string
	for _, p := range l.d.Params {
		if p.From == "" {
			names = append(names, p.Name)
		}
	}
	if l.d.AcceptsBaseURL() {
		names = append(names, valueBaseURL)
	}
	if l.d.OAuth != nil {
		names = append(names, valueClientID, valueClientSecret)
	}
	return strings.Join(names, ", ")
}

// readSecrets reads the lines of --secrets-stdin. Its errors quote nothing from them: in
// a broken file, a part of a secret may be in the place of a name.
func (l *Login) readSecrets(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxSecrets+1))
	switch {
	case err != nil:
		return fmt.Errorf("read standard input: %w", err)
	case len(data) > maxSecrets:
		return exit.Usagef("--secrets-stdin: standard input is longer than %d bytes", maxSecrets)
	}
	lines := bufio.NewScanner(bytes.NewReader(bom.Decode(data)))
	lines.Buffer(nil, maxInput)
	n := 1
	for ; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return exit.Usagef("--secrets-stdin: line %d is not NAME=VALUE", n)
		}
		if !l.setGiven(strings.TrimSpace(name), strings.TrimSpace(value), "") {
			return exit.Usagef("--secrets-stdin: line %d has an unknown name; %s has %s", n, l.d.Name, l.valueNames())
		}
	}
	if lines.Err() != nil {
		return exit.Usagef("--secrets-stdin: line %d is longer than %d bytes", n, loopback.MaxValue)
	}
	return nil
}

// maxSecrets is the length up to which the lines of --secrets-stdin are read.
const maxSecrets = 1 << 20

// maxInput is the length up to which input is read: a value, with its name or with white
// space around it.
const maxInput = loopback.MaxValue + 1<<10

// readKey reads r to its end, which is the key and nothing else.
func readKey(r io.Reader) (secret.String, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	switch {
	case err != nil:
		return secret.String{}, fmt.Errorf("read the key: %w", err)
	case len(data) > maxInput:
		return secret.String{}, fmt.Errorf("read the key: longer than %d bytes", loopback.MaxValue)
	}
	if data = bom.Decode(data); len(bytes.TrimSpace(data)) == 0 {
		return secret.String{}, errEmptyInput
	}
	return secret.New(string(data)), nil
}

// checkGivenBaseURL checks an address that was given before anything else happens: it
// decides where the credential is sent.
func (l *Login) checkGivenBaseURL() error {
	given, ok := l.given[valueBaseURL]
	if !ok {
		return nil
	}
	check := l.checkHosts // definitions of schema 1 also accept a host without https://
	if l.d.UsesBaseURL() {
		check = l.checkBaseURL
	}
	if err := check(given.Reveal()); err != nil {
		return l.invalid(valueBaseURL, baseURLLabel, err)
	}
	return nil
}

// baseURL is the service's address that was given, or empty.
func (l *Login) baseURL() string { return l.given[valueBaseURL].Reveal() }
