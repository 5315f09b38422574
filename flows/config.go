package flows

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// Config is one OAuth client at one provider, with one connection's values. Its
// fields are set before its first use, and not changed after.
type Config struct {
	Definition *providers.Definition
	Client     Client                   // zero: the definition's public client, if it has one
	Values     map[string]secret.String // params and base_url, for templates
	Server     *Server                  // found by [Config.Discover]; nil: as the definition says, or discovered when it is needed
	HTTP       *http.Client             // nil: limits, and no private targets for discovered endpoints. Redirects are never followed
	Now        func() time.Time         // nil: time.Now

	// ClientMetadataURL is the address of a client-id metadata document (CIMD) of
	// ours, for servers that take one in place of a registered client; or empty.
	ClientMetadataURL string
}

// Server is what discovery found. It can be stored, so that a refresh need not
// ask again.
type Server struct {
	Issuer           string   `json:"issuer"`
	AuthorizationURL string   `json:"authorization_url,omitempty"`
	TokenURL         string   `json:"token_url"`
	DeviceURL        string   `json:"device_authorization_url,omitempty"`
	RegistrationURL  string   `json:"registration_url,omitempty"`
	RevocationURL    string   `json:"revocation_url,omitempty"`
	TokenAuth        []string `json:"token_auth,omitempty"`         // methods it takes, in its words; nil if it did not say
	Challenges       []string `json:"challenges,omitempty"`         // PKCE methods it knows; nil if it did not say
	IssuerInCallback bool     `json:"issuer_in_callback,omitempty"` // RFC 9207
	ClientMetadata   bool     `json:"client_metadata,omitempty"`    // takes the URL of a metadata document as client id
	Resource         string   `json:"resource,omitempty"`           // that the tokens are for, in the resource's own spelling
	Scopes           []string `json:"scopes,omitempty"`             // that the resource asks for; nil if it did not say
}

// ID is what a [Client] belongs to: the issuer that was discovered, or else what
// the definition says.
func (c *Config) ID() (string, error) {
	if c.Server != nil {
		return c.Server.Issuer, nil
	}
	return c.Definition.Issuer(c.values())
}

// issuer is the one that answers must come from; empty if it is not known.
func (c *Config) issuer() (string, error) {
	if c.Server != nil {
		return c.Server.Issuer, nil
	}
	o, err := c.oauth()
	if err != nil {
		return "", err
	}
	return c.expand("oauth.issuer", o.Issuer)
}

func (c *Config) oauth() (*providers.OAuth, error) {
	if c.Definition.OAuth == nil {
		return nil, fmt.Errorf("%s has no OAuth: %w", c.Definition.Name, ErrUnsupported)
	}
	return c.Definition.OAuth, nil
}

func (c *Config) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Config) found() Server {
	if c.Server == nil {
		return Server{}
	}
	return *c.Server
}

// endpoint is where a request goes, and what it is made with.
type endpoint struct {
	url    *url.URL
	client *http.Client
}

// endpoint takes the definition's own address, or the one that was discovered.
func (c *Config) endpoint(field, template, discovered string) (endpoint, error) {
	field = "oauth." + field
	if template != "" {
		text, err := c.expand(field, template)
		if err != nil {
			return endpoint{}, err
		}
		u, err := parseEndpoint(text)
		if err != nil {
			return endpoint{}, fmt.Errorf("%s: %s: %w", c.Definition.Name, field, err)
		}
		return endpoint{u, c.client(false)}, nil
	}
	if discovered == "" {
		return endpoint{}, fmt.Errorf("%s: no %s: %w", c.Definition.Name, field, ErrUnsupported)
	}
	named := c.named()
	u, err := discoveredEndpoint(discovered, named)
	if err != nil {
		return endpoint{}, fmt.Errorf("%s: %s: %w", c.Definition.Name, field, err)
	}
	return endpoint{u, c.client(true, named...)}, nil
}

func (c *Config) tokenEndpoint() (endpoint, error) {
	o, err := c.oauth()
	if err != nil {
		return endpoint{}, err
	}
	return c.endpoint("token_url", o.TokenURL, c.found().TokenURL)
}

// expand fills a template with the connection's values.
func (c *Config) expand(field, template string) (string, error) {
	if template == "" {
		return "", nil
	}
	text, err := c.Definition.Expand(field, template, c.values())
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.Definition.Name, err)
	}
	return text, nil
}

// expandOptional is expand, and empty where an optional param is not there.
func (c *Config) expandOptional(field, template string) (string, error) {
	text, err := c.expand(field, template)
	if missing, ok := errors.AsType[*providers.UnfilledError](err); ok {
		if p := c.Definition.Param(missing.Name); p != nil && p.Optional {
			return "", nil
		}
	}
	return text, err
}

// values are what templates may name.
func (c *Config) values() providers.Values {
	values := maps.Clone(c.Values)
	if values == nil {
		values = make(providers.Values)
	}
	if id := c.clientID(); id != "" {
		values["client_id"] = secret.New(id)
	}
	return values
}

// add puts a definition's further parameters into a request.
func (c *Config) add(form url.Values, field string, params map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		text, err := c.expandOptional("oauth."+field+"."+name, params[name])
		if err != nil {
			return err
		}
		if text != "" {
			form.Set(name, text)
		}
	}
	return nil
}

// addResource puts the resource that the token is for into a request: RFC 8707
// wants it in the authorization, the token and the refresh request.
func (c *Config) addResource(form url.Values) error {
	resource := c.found().Resource
	if resource == "" {
		var err error
		if resource, err = c.expand("oauth.resource", c.Definition.OAuth.Resource); err != nil {
			return err
		}
	}
	if resource != "" {
		form.Set("resource", resource)
	}
	return nil
}

// addScopes joins scopes as the provider wants them.
func (c *Config) addScopes(form url.Values, scopes []string) {
	if len(scopes) == 0 {
		return
	}
	o := c.Definition.OAuth
	form.Set(orDefault(o.ScopeParam, "scope"), joinScopes(o, scopes))
}

// Scopes are the ones to ask for when the user names none: the definition's, or
// else what the resource asks for.
func (c *Config) Scopes() []string {
	if o := c.Definition.OAuth; o != nil && o.Scopes != nil {
		return o.Scopes
	}
	return c.found().Scopes
}

func orDefault(s, absent string) string {
	if s == "" {
		return absent
	}
	return s
}
