package signin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// wanted are the fields that the flow needs values for.
func (l *Login) wanted() []loopback.Field {
	var fields []loopback.Field
	if l.namesBaseURL() {
		fields = append(fields, loopback.Field{
			Name: valueBaseURL, Label: "Address of the service", Value: l.d.BaseURL, Hint: "https://…; keep the given one unless you have your own instance", Check: l.checkBaseURL,
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

// signs reports whether the param is a signing key or the file with one. Any other
// secret belongs to the api_key flow.
func (l *Login) signs(name string) bool {
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

func (l *Login) checkBaseURL(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return errors.New("expected an address that begins with https://")
	}
	_, err = l.d.Patterns(providers.Values{valueBaseURL: secret.New(value)})
	if _, later := errors.AsType[*providers.UnfilledError](err); later {
		return nil
	}
	return err
}

// question is how values are asked for.
type question struct {
	purpose  string
	create   string // what to do at keyURL, such as "Create a key"
	keyURL   string
	redirect string
	hosts    []string
	// accept checks all values together; see [loopback.Form].
	accept func(ctx context.Context, values providers.Values) error
}

// collect finds a value for each field: given, in a variable, by default, or from the
// user. accept also checks values that the user is not asked for.
func (l *Login) collect(ctx context.Context, fields []loopback.Field, q question) (providers.Values, error) {
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
				return nil, l.invalid(field, err)
			}
			values[field.Name] = value
			continue
		}
		open = append(open, field)
		if !field.Optional && field.Value == "" {
			missing = append(missing, field)
		}
	}
	missing, err := l.readKeyStdin(missing, values)
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
	case l.o.KeyStdin || l.o.SecretsStdin: // a script, which cannot be asked
	case l.browser != nil:
		return values, l.askInForm(ctx, open, q, accept)
	case l.terminal != nil:
		return values, l.askOnTerminal(ctx, missing, q, accept)
	}
	e := &missingValueError{provider: l.d.Name, looked: l.lookedIn(missing)}
	for _, field := range missing {
		label := show.LowerFirst(field.Label)
		if field.Name == valueKey {
			label = "key"
		}
		e.labels = append(e.labels, label)
	}
	return nil, exit.WithHint(e, l.howToGive(missing))
}

// invalid is the error for a value that was found without asking.
func (l *Login) invalid(field loopback.Field, err error) error {
	_, given := l.given[field.Name]
	return &valueError{provider: l.d.Name, label: field.Label, argument: given && !l.o.SecretsStdin, err: err}
}

// find looks for a value without asking.
func (l *Login) find(field loopback.Field) (secret.String, error) {
	if value, ok := l.given[field.Name]; ok {
		if value.IsZero() {
			return value, l.invalid(field, errors.New("the value is empty"))
		}
		return value, nil
	}
	if l.o.KeyStdin && field.Name == valueKey {
		return secret.String{}, nil
	}
	for _, v := range l.d.Variables() {
		if v.Field != field.Name {
			continue
		}
		switch value := l.console.Getenv(v.Name); {
		case value == "":
		case providers.HasPlaceholder(value):
			l.console.Infof("ignoring %s: it holds a placeholder of authsome", v.Name)
		default:
			l.console.Infof("using the %s from the environment: %s", show.LowerFirst(field.Label), v.Name)
			return secret.New(value), nil
		}
	}
	return secret.String{}, nil
}

// readKeyStdin uses standard input for the one secret that is missing.
func (l *Login) readKeyStdin(missing []loopback.Field, values providers.Values) ([]loopback.Field, error) {
	if !l.o.KeyStdin {
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
		return nil, exit.WithHint(exit.Usagef("--key-stdin: %s needs %s", l.d.Name, show.Plural(len(secrets), "secret")), l.howToGive(missing))
	}
	key, err := readKey(l.console.In)
	if err != nil {
		return nil, err
	}
	value, err := secrets[0].Take(key.Reveal())
	if err != nil {
		return nil, l.invalid(secrets[0], err)
	}
	values[secrets[0].Name] = value
	return rest, nil
}

// howToGive is the command that gives values without a terminal.
func (l *Login) howToGive(missing []loopback.Field) suggest.Suggestion {
	command := l.command()
	secrets := 0
	for _, field := range missing {
		switch {
		case field.Secret:
			secrets++
		case field.Name == valueClientID:
			command = command.With("--client-id ID")
		case field.Name == valueBaseURL:
			command = command.With("--base-url URL")
		default:
			command = command.With("--param " + field.Name + "=VALUE")
		}
	}
	switch secrets {
	case 0:
		return command
	case 1:
		return command.With("--key-stdin < FILE")
	default:
		return command.With("--secrets-stdin < FILE")
	}
}

// lookedIn says where the values were looked for.
func (l *Login) lookedIn(missing []loopback.Field) string {
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
	where := "no variable has a value"
	if len(variables) > 0 {
		where = isUnset(variables)
	}
	if len(lines) > 1 {
		where += ", standard input has no lines " + strings.Join(lines, ", ")
	}
	return where
}

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
		return secret.String{}, fmt.Errorf("the input is empty: %w", errNoValue)
	}
	return secret.New(string(data)), nil
}

func isUnset(variables []string) string {
	if len(variables) == 1 {
		return variables[0] + " is unset"
	}
	return strings.Join(variables, " and ") + " are unset"
}
