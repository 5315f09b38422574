package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

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

// missingValueError says which values are missing, and cannot be asked for.
type missingValueError struct {
	provider string
	labels   []string
	where    string // they were looked for
}

func (e *missingValueError) Error() string {
	return fmt.Sprintf("%s: no %s was given: %s, and nobody can be asked here", e.provider, strings.Join(e.labels, ", no "), e.where)
}

// readOptions takes the values that the command line and standard input have.
func (l *loginRun) readOptions() error {
	if err := l.checkFlow(); err != nil {
		return err
	}
	l.given = make(providers.Values)
	for _, p := range l.o.params {
		name, value, ok := strings.Cut(p, "=")
		if !ok {
			return usageErrorf("--param %s: it is NAME=VALUE", p)
		}
		if param := l.d.Param(name); param != nil && param.Secret {
			return withHint(usageErrorf("--param %s: no secret is accepted as an argument; write a line %s=VALUE into a file", name, name),
				"authsome login %s --secrets-stdin < FILE", l.d.Name)
		}
		if err := l.give(name, value); err != nil {
			return usageErrorf("--param %v", err)
		}
	}
	if l.o.baseURL != "" {
		l.given[valueBaseURL] = secret.New(l.o.baseURL)
	}
	if l.o.clientID != "" {
		l.given[valueClientID] = secret.New(l.o.clientID)
	}
	if l.o.keyStdin && l.o.secretsStdin {
		return usageErrorf("--key-stdin and --secrets-stdin both read standard input")
	}
	if l.o.secretsStdin {
		return l.readSecrets(l.a.stdin)
	}
	return nil
}

// give takes a value under a name that the provider has.
func (l *loginRun) give(name, value string) error {
	if l.d.Param(name) == nil {
		switch {
		case name == "url" && l.namesBaseURL():
			name = valueBaseURL
		case name == valueBaseURL, name == valueClientID && l.d.OAuth != nil, name == valueClientSecret && l.d.OAuth != nil:
		default:
			return fmt.Errorf("%s: %s has no such value; it has %s", name, l.d.Name, strings.Join(l.valueNames(), ", "))
		}
	}
	l.given[name] = secret.New(value)
	return nil
}

func (l *loginRun) valueNames() []string {
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

func (l *loginRun) readSecrets(r io.Reader) error {
	lines := bufio.NewScanner(io.LimitReader(r, loopback.MaxValue))
	lines.Buffer(nil, loopback.MaxValue)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return usageErrorf("--secrets-stdin: line %d is not NAME=value", n)
		}
		if err := l.give(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return usageErrorf("--secrets-stdin: line %d: %v", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}

// baseURL is the one that was given, for the login as a whole.
func (l *loginRun) baseURL() string { return l.given[valueBaseURL].Reveal() }

// namesBaseURL reports whether the service has no address without one of the
// connection's own, or may have one.
func (l *loginRun) namesBaseURL() bool {
	text, err := l.d.Marshal()
	return err == nil && strings.Contains(string(text), "{"+valueBaseURL+"}")
}

// wanted are the fields that the flow needs values for.
func (l *loginRun) wanted() []loopback.Field {
	var fields []loopback.Field
	if l.namesBaseURL() {
		fields = append(fields, loopback.Field{
			Name: valueBaseURL, Label: "Address of the service", Value: l.d.BaseURL, Hint: "https://…, your own instance's or the one that is there", Check: l.checkBaseURL,
		})
	}
	for _, p := range l.d.Params {
		if p.From != "" || p.Name == valueKey && l.flow != providers.FlowAPIKey || p.Secret && l.flow != providers.FlowAPIKey && !l.signs(p.Name) {
			continue
		}
		label := p.Label
		if label == "" {
			label = strings.ReplaceAll(p.Name, "_", " ")
		}
		fields = append(fields, loopback.Field{
			Name: p.Name, Label: label, Hint: p.Hint, Value: p.Default, Secret: p.Secret, Optional: p.Optional, Long: l.signs(p.Name),
			Check: func(value string) error { return l.d.CheckValue(p.Name, value) },
		})
	}
	return fields
}

// signs reports whether the param is a key to sign with, or the file that has it.
// A secret of another kind belongs to the api_key flow.
func (l *loginRun) signs(name string) bool {
	if l.d.OAuth == nil || l.d.OAuth.JWT == nil {
		return false
	}
	if l.d.OAuth.JWT.Key == "{"+name+"}" {
		return true
	}
	for _, p := range l.d.Params {
		if p.From == name && p.Path != "" {
			return true
		}
	}
	return false
}

func (l *loginRun) checkBaseURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return errors.New("this is not an address that begins with https://")
	}
	_, err = l.d.Patterns(providers.Values{valueBaseURL: secret.New(value)})
	if _, later := errors.AsType[*providers.UnfilledError](err); later {
		return nil
	}
	return err
}

// question is what values are asked for with.
type question struct {
	purpose  string
	keyURL   string
	redirect string
	hosts    []string
	// accept judges all values together; see [loopback.Form].
	accept func(ctx context.Context, values providers.Values) error
}

// collect finds a value for each field: given, in a variable, by default, or from
// the user. What the user is not asked for is judged by accept, too.
func (l *loginRun) collect(ctx context.Context, fields []loopback.Field, q question) (providers.Values, error) {
	values := make(providers.Values)
	var open, missing []loopback.Field
	for _, field := range fields {
		entered, err := l.find(field)
		if err != nil {
			return nil, err
		}
		if !entered.IsZero() {
			value, err := field.Take(entered.Reveal())
			if err != nil {
				return nil, &valueError{l.d.Name, field.Label, err}
			}
			values[field.Name] = value
			continue
		}
		open = append(open, field)
		if !field.Optional && field.Value == "" {
			missing = append(missing, field)
		}
	}
	missing, err := l.readKey(missing, values)
	if err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		for _, field := range open {
			if _, read := values[field.Name]; !read && field.Value != "" {
				values[field.Name] = secret.New(field.Value)
			}
		}
		if q.accept != nil {
			err = q.accept(ctx, values)
		}
		return values, err
	}
	accept := func(ctx context.Context, entered map[string]secret.String) error {
		for name, value := range entered {
			values[name] = value
		}
		if q.accept == nil {
			return nil
		}
		return q.accept(ctx, values)
	}
	switch {
	case l.o.keyStdin || l.o.secretsStdin: // a script, then
	case l.browser != nil:
		return values, l.askInForm(ctx, open, q, accept)
	case l.terminal != nil:
		return values, l.askOnTerminal(ctx, missing, q, accept)
	}
	e := &missingValueError{provider: l.d.Name, where: l.whereElse(missing)}
	for _, field := range missing {
		label := lowerFirst(field.Label)
		if field.Name == valueKey {
			label = "key"
		}
		e.labels = append(e.labels, label)
	}
	return nil, withHint(e, "%s", l.howToGive(missing))
}

// valueError is a value that cannot be the one that is meant. It does not
// contain the value.
type valueError struct {
	provider, label string
	err             error
}

func (e *valueError) Error() string {
	return fmt.Sprintf("%s for %s: %v", lowerFirst(e.label), e.provider, e.err)
}

func (e *valueError) Unwrap() error { return e.err }

// find looks for a value that needs no asking.
func (l *loginRun) find(field loopback.Field) (secret.String, error) {
	if value, ok := l.given[field.Name]; ok {
		if value.IsZero() {
			return value, &valueError{l.d.Name, field.Label, errors.New("it is empty")}
		}
		return value, nil
	}
	if l.o.keyStdin && field.Name == valueKey {
		return secret.String{}, nil
	}
	for _, v := range l.d.Variables() {
		if v.Field != field.Name {
			continue
		}
		switch value := l.a.getenv(v.Name); {
		case value == "":
		case providers.HasPlaceholder(value):
			l.a.infof("%s holds a placeholder of authsome's, and is not used", v.Name)
		default:
			l.a.infof("the %s is taken from the environment: %s", lowerFirst(field.Label), v.Name)
			return secret.New(value), nil
		}
	}
	return secret.String{}, nil
}

// readKey takes standard input for the one secret that is missing.
func (l *loginRun) readKey(missing []loopback.Field, values providers.Values) ([]loopback.Field, error) {
	if !l.o.keyStdin {
		return missing, nil
	}
	var rest, secrets []loopback.Field
	for _, field := range missing {
		if field.Secret {
			secrets = append(secrets, field)
		} else {
			rest = append(rest, field)
		}
	}
	if len(secrets) != 1 {
		return nil, withHint(usageErrorf("--key-stdin: %s needs %s", l.d.Name, plural(len(secrets), "secret")), "%s", l.howToGive(missing))
	}
	key, err := readKey(l.a.stdin)
	if err != nil {
		return nil, err
	}
	value, err := secrets[0].Take(key.Reveal())
	if err != nil {
		return nil, &valueError{l.d.Name, secrets[0].Label, err}
	}
	values[secrets[0].Name] = value
	return rest, nil
}

// howToGive says how to give values where nobody can be asked.
func (l *loginRun) howToGive(missing []loopback.Field) string {
	command := l.command()
	secrets := 0
	for _, field := range missing {
		switch {
		case field.Secret:
			secrets++
		case field.Name == valueClientID:
			command += " --client-id ID"
		case field.Name == valueBaseURL:
			command += " --base-url URL"
		default:
			command += " --param " + field.Name + "=VALUE"
		}
	}
	switch secrets {
	case 0:
		return command
	case 1:
		return command + " --key-stdin < FILE"
	default:
		return command + " --secrets-stdin < FILE"
	}
}

// whereElse says where the values were looked for, besides a person.
func (l *loginRun) whereElse(missing []loopback.Field) string {
	var variables, lines []string
	for _, field := range missing {
		for _, v := range l.d.Variables() {
			if v.Field == field.Name {
				variables = append(variables, v.Name)
				break
			}
		}
		if field.Secret {
			lines = append(lines, field.Name+"=VALUE")
		}
	}
	where := "no variable has it"
	if len(variables) > 0 {
		where = "not in " + strings.Join(variables, ", ")
	}
	if len(lines) > 1 {
		where += ", nor as lines " + strings.Join(lines, ", ") + " on standard input"
	}
	return where
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' { // API key
		return s
	}
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// errNoKey says that nothing was entered, or that the input was empty.
var errNoKey = errors.New("no key was given")

// readKey reads r to its end, which is the key and nothing else.
func readKey(r io.Reader) (secret.String, error) {
	const limit = loopback.MaxValue + 1<<10 // with white space around it
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return secret.String{}, fmt.Errorf("read the key: %w", err)
	case len(data) > limit:
		return secret.String{}, fmt.Errorf("read the key: longer than %d bytes", loopback.MaxValue)
	case len(bytes.TrimSpace(data)) == 0:
		return secret.String{}, fmt.Errorf("the input is empty: %w", errNoKey)
	}
	return secret.New(string(data)), nil
}
