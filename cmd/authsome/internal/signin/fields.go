package signin

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

const baseURLLabel = "Address of the service"

// fields are the values that the flow needs, except those of an OAuth client.
func (l *Login) fields() []loopback.Field {
	var fields []loopback.Field
	if l.d.UsesBaseURL() {
		field := loopback.Field{Name: valueBaseURL, Label: baseURLLabel, Value: l.d.BaseURL, Hint: "it begins with https://", Check: l.checkBaseURL}
		if l.d.BaseURL != "" {
			field.Hint += "; keep this one unless you use another instance"
		}
		fields = append(fields, field)
	}
	for _, p := range l.d.Params {
		if !l.needs(p) {
			continue
		}
		fields = append(fields, loopback.Field{
			Name: p.Name, Label: fieldLabel(p), Hint: p.Hint, Value: p.Default, Secret: p.Secret, Optional: p.Optional, Long: l.isSigningKey(p.Name),
			Check: func(value string) error { return l.d.CheckValue(p.Name, value) },
		})
	}
	return fields
}

// needs reports whether the flow needs a param. In other flows than api_key, the only
// secret to ask for is a signing key.
func (l *Login) needs(p providers.Param) bool {
	switch {
	case p.From != "":
		return false
	case l.flow == providers.FlowAPIKey:
		return true
	}
	return p.Name != valueKey && (!p.Secret || l.isSigningKey(p.Name))
}

// fieldLabel is the label of a param, or its name as a label.
func fieldLabel(p providers.Param) string {
	if p.Label != "" {
		return p.Label
	}
	name := strings.ReplaceAll(p.Name, "_", " ")
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first)) + name[size:]
}

// isSigningKey reports whether the param is a signing key, or the file with one.
func (l *Login) isSigningKey(name string) bool {
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
	return l.checkHosts(value)
}

// checkHosts checks that a credential can be sent to the address.
func (l *Login) checkHosts(value string) error {
	_, err := l.d.Patterns(providers.Values{valueBaseURL: secret.New(value)})
	if _, later := errors.AsType[*providers.UnfilledError](err); later {
		return nil
	}
	if e, ok := errors.AsType[*providers.FieldError](err); ok && e.Field == valueBaseURL {
		return &providers.FieldError{Reason: e.Reason, Hint: e.Hint} // the caller names the field
	}
	return err
}
