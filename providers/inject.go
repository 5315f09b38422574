package providers

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/authsome/authsome/secret"
)

// Credential is what a connection holds for its requests.
type Credential struct {
	AccessToken secret.String // of an oauth2 service
	TokenType   string        // as the token endpoint said; empty means Bearer
	APIKey      secret.String // of an api_key service
}

// Injection is a credential in the form in which it goes on requests. It is
// immutable and safe for concurrent use. It holds a secret, and does not print.
type Injection struct {
	headers []header
}

type header struct {
	name  string // canonical
	value secret.String
}

// Injection compiles how c goes on a request to the service. What cannot be put
// on a request safely is an error.
func (d *Definition) Injection(c Credential) (*Injection, error) {
	if why := d.Unsupported(); why != "" {
		return nil, fmt.Errorf("%s: %s", d.Name, why)
	}
	name, prefix, value := "Authorization", "Bearer", c.AccessToken
	if d.AuthType == AuthAPIKey {
		value = c.APIKey
		if k := d.APIKey; k != nil {
			if k.HeaderName != "" {
				name = k.HeaderName
			}
			if k.HeaderPrefix != nil {
				prefix = *k.HeaderPrefix
			}
		}
	} else if c.TokenType != "" && !strings.EqualFold(c.TokenType, "Bearer") {
		// RFC 6749 section 7.1: a client must not use a type it does not know.
		return nil, fmt.Errorf("%s: its tokens are of a type that is not known", d.Name)
	}
	if value.IsZero() {
		return nil, fmt.Errorf("%s: the connection holds no credential", d.Name)
	}
	text := value.Reveal()
	if prefix = strings.TrimSpace(prefix); prefix != "" {
		text = prefix + " " + text
	}
	if !httpguts.ValidHeaderFieldValue(text) {
		return nil, fmt.Errorf("%s: the credential has characters that no header can carry", d.Name)
	}
	return &Injection{headers: []header{{textproto.CanonicalMIMEHeaderKey(name), secret.New(text)}}}, nil
}

// Apply takes the client's own values out of the slots that the credential uses,
// in every spelling, and puts the credential in.
func (i *Injection) Apply(r *http.Request) error {
	if len(i.headers) == 0 {
		return errors.New("empty injection")
	}
	for _, h := range i.headers {
		for name := range r.Header {
			if len(name) == len(h.name) && strings.EqualFold(name, h.name) {
				delete(r.Header, name)
			}
		}
		r.Header[h.name] = []string{h.value.Reveal()}
	}
	return nil
}
