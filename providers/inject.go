package providers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/authsome/authsome/internal/mask"
	"github.com/authsome/authsome/secret"
)

// Credential has the values that a connection puts on requests.
type Credential struct {
	Values    Values // values of templates
	TokenType string // type of access_token from the token endpoint; if empty, Bearer
}

// Injection is a credential compiled to the form in which it is put on requests. It
// is immutable and safe for concurrent use. Printing it does not reveal its secrets.
type Injection struct {
	headers []slot
	query   []slot
	paths   []slot // slot.name is the prefix
	signer  *signer

	removeHeaders []string // in addition to the headers that are set
	removeQuery   []string

	mask     func() *mask.Mask
	identity bool // bodies are searched for secrets, so they must not be encoded
}

// slot is a place on a request and the value for it.
type slot struct {
	name     string // of a header, the canonical name
	value    secret.String
	ifAbsent bool
}

// Injection compiles how c is put on a request to the service. It returns an error if
// a value cannot be put on a request safely.
func (d *Definition) Injection(c Credential) (*Injection, error) {
	// RFC 6749 section 7.1: a client must not use a token of a type that it does not
	// know. All types except these two are bearer tokens under another name.
	if t := strings.ToLower(c.TokenType); (t == "mac" || t == "dpop") && !c.Values[nameAccessToken].IsZero() {
		return nil, fmt.Errorf("%s: tokens of type %s are not supported", d.Name, t)
	}
	inject := d.Inject
	if len(inject) == 0 {
		inject = []Inject{bearer(c.Values)}
	}
	i := &Injection{}
	carries := false
	var secrets []mask.Secret
	for n, in := range inject {
		c := &compiler{d: d, values: c.Values, field: fmt.Sprintf("inject[%d].", n)}
		if err := c.add(i, in); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name, err)
		}
		carries = carries || c.used && !in.IfAbsent
		secrets = append(secrets, c.secrets(in)...)
	}
	if !carries {
		return nil, fmt.Errorf("%s: the connection has no credential", d.Name)
	}
	for _, s := range d.Remove {
		place, name, _ := strings.Cut(s, ":")
		if place == InQuery {
			i.removeQuery = append(i.removeQuery, name)
		} else {
			i.removeHeaders = append(i.removeHeaders, textproto.CanonicalMIMEHeaderKey(name))
		}
	}
	i.scrub(append(secrets, d.unsent(c.Values)...), d.Scrub == scrubOff)
	return i, nil
}

// bearer returns the injection of a definition that has none.
func bearer(values Values) Inject {
	value := "Bearer {access_token}"
	if values[nameAccessToken].IsZero() {
		value = "Bearer {api_key}"
	}
	return Inject{In: InHeader, Name: "Authorization", Value: value}
}

// compiler compiles one entry of inject.
type compiler struct {
	d      *Definition
	values Values
	field  string
	used   bool // the entry contains a value of the connection
}

func (c *compiler) add(i *Injection, in Inject) error {
	if c.absent(in) {
		return nil
	}
	switch in.In {
	case InHeader:
		v, err := c.header("value", in.Value)
		if err != nil {
			return err
		}
		i.headers = append(i.headers, slot{textproto.CanonicalMIMEHeaderKey(in.Name), secret.New(v), in.IfAbsent})
	case InBasic:
		user, err := c.expand("username", in.Username)
		if err != nil {
			return err
		}
		if strings.Contains(user, ":") {
			return errors.New("the user name contains a colon, which cannot be sent (RFC 7617 section 2)")
		}
		password, err := c.expand("password", in.Password)
		if err != nil {
			return err
		}
		encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		i.headers = append(i.headers, slot{name: "Authorization", value: secret.New("Basic " + encoded)})
	case InQuery:
		v, err := c.expand("value", in.Value)
		if err != nil {
			return err
		}
		i.query = append(i.query, slot{in.Name, secret.New(url.QueryEscape(in.Name) + "=" + url.QueryEscape(v)), in.IfAbsent})
	case InPath:
		v, err := c.expand("value", in.Value)
		if err != nil {
			return err
		}
		if v == "." || v == ".." || strings.ContainsAny(v, "/\\") {
			return errors.New("the credential cannot be used as a path segment")
		}
		i.paths = append(i.paths, slot{name: in.Prefix, value: secret.New(v)})
	case InSigV4:
		return c.sign(i, in)
	}
	return nil
}

// absent reports whether the entry needs an optional param that the connection does
// not have.
func (c *compiler) absent(in Inject) bool {
	for _, t := range []string{in.Value, in.Username, in.Password, in.AccessKey, in.SecretKey} {
		for _, name := range names(t) {
			if p := c.d.Param(name); p != nil && p.Optional && c.d.value(c.values, name) == "" {
				return true
			}
		}
	}
	return false
}

// expand fills a template of the entry. The template is never treated as a URL.
func (c *compiler) expand(member, template string) (string, error) {
	text, err := fill(template, func(name string) (string, error) {
		v := c.d.value(c.values, name)
		if v == "" {
			return "", &UnfilledError{c.field + member, name}
		}
		c.used = true
		return v, nil
	})
	if err != nil {
		return "", err
	}
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			return "", errors.New("the credential contains control characters, which cannot be sent")
		}
	}
	return text, nil
}

// header is expand for a value that must be valid in a header.
func (c *compiler) header(member, template string) (string, error) {
	text, err := c.expand(member, template)
	if err != nil {
		return "", err
	}
	if text = strings.TrimSpace(text); !httpguts.ValidHeaderFieldValue(text) {
		return "", errors.New("the credential contains characters that are not allowed in a header")
	}
	return text, nil
}
