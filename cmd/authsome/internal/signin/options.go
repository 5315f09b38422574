package signin

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// Names of values that are no params of the definition.
const (
	valueKey          = "api_key"
	valueBaseURL      = "base_url"
	valueClientID     = "client_id"
	valueClientSecret = "client_secret"
)

// readOptions collects the values of the command line and of standard input.
func (l *Login) readOptions() error {
	if err := l.checkFlow(); err != nil {
		return err
	}
	l.given = make(providers.Values)
	for _, p := range l.o.Params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return exit.Usagef("--param %s: use NAME=VALUE", p)
		}
		if param := l.d.Param(name); param != nil && param.Secret {
			return exit.WithCommand(exit.Usagef("--param %s: other users can see secrets in arguments; write a line %s=VALUE into a file", name, name),
				"login %s --secrets-stdin < FILE", l.d.Name)
		}
		if err := l.give(name, value); err != nil {
			return exit.Usagef("--param %v", err)
		}
	}
	if l.o.BaseURL != "" {
		l.given[valueBaseURL] = secret.New(l.o.BaseURL)
	}
	if l.o.ClientID != "" {
		l.given[valueClientID] = secret.New(l.o.ClientID)
	}
	if l.o.KeyStdin && l.o.SecretsStdin {
		return exit.Usagef("--key-stdin and --secrets-stdin cannot be used together")
	}
	if l.o.SecretsStdin {
		return l.readSecrets(l.console.In)
	}
	return nil
}

// give sets a value that the provider has.
func (l *Login) give(name, value string) error {
	if l.d.Param(name) == nil {
		switch {
		case name == "url" && l.namesBaseURL():
			name = valueBaseURL
		case name == valueBaseURL, name == valueClientID && l.d.OAuth != nil, name == valueClientSecret && l.d.OAuth != nil:
		default:
			return fmt.Errorf("%s: unknown value; %s has %s", name, l.d.Name, strings.Join(l.valueNames(), ", "))
		}
	}
	l.given[name] = secret.New(value)
	return nil
}

func (l *Login) valueNames() []string {
	var names []string
	for _, p := range l.d.Params {
		if p.From == "" {
			names = append(names, p.Name)
		}
	}
	names = append(names, valueBaseURL)
	if l.d.OAuth != nil {
		names = append(names, valueClientID, valueClientSecret)
	}
	return names
}

func (l *Login) readSecrets(r io.Reader) error {
	lines := bufio.NewScanner(io.LimitReader(r, loopback.MaxValue))
	lines.Buffer(nil, loopback.MaxValue)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return exit.Usagef("--secrets-stdin: line %d is not NAME=value", n)
		}
		if err := l.give(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return exit.Usagef("--secrets-stdin: line %d: %v", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}

// baseURL is the service's address that was given, or empty.
func (l *Login) baseURL() string { return l.given[valueBaseURL].Reveal() }

// namesBaseURL reports whether a connection needs its own address of the service, or
// may have one.
func (l *Login) namesBaseURL() bool {
	text, err := l.d.Marshal()
	return err == nil && strings.Contains(string(text), "{"+valueBaseURL+"}")
}
