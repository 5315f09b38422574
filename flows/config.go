package flows

import (
	"cmp"
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

// Config is one OAuth client at one provider, with the values of one connection. Its
// fields must be set before the first use and not changed afterwards.
type Config struct {
	Definition  *providers.Definition
	Client      Client                   // if zero, the definition's public client
	Values      map[string]secret.String // params and base_url, for templates
	Server      *Server                  // set by Discover; nil before, and if the definition has no discovery
	AllowNoPKCE bool                     // log in although [Config.CheckPKCE] returns ErrNoPKCE; a challenge is sent all the same
	HTTP        *http.Client             // if nil, a client with limits that refuses private addresses for discovered endpoints
	Now         func() time.Time         // if nil, time.Now
}

// ID returns what a [Client] belongs to: the discovered issuer, or else what the definition
// says.
func (c *Config) ID() (string, error) {
	if c.Server != nil {
		return c.Server.Issuer, nil
	}
	return c.Definition.Issuer(c.values())
}

// issuer returns the issuer that answers must come from, or "" if it is not known.
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
		return nil, fmt.Errorf("%s does not use OAuth: %w", c.Definition.Name, errUnsupported)
	}
	return c.Definition.OAuth, nil
}

func (c *Config) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// discovered returns what discovery found; zero if nothing.
func (c *Config) discovered() Server {
	if c.Server == nil {
		return Server{}
	}
	return *c.Server
}

// endpoint is the address of a request and the client that makes it.
type endpoint struct {
	url    *url.URL
	client *http.Client
}

// endpoint returns the address in the definition's field, or else the discovered one.
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
		return endpoint{u, c.client()}, nil
	}
	if discovered == "" {
		return endpoint{}, fmt.Errorf("%s: no %s: %w", c.Definition.Name, field, errUnsupported)
	}
	trusted := c.trustedHosts()
	u, err := discoveredEndpoint(discovered, trusted)
	if err != nil {
		return endpoint{}, fmt.Errorf("%s: %s: %w", c.Definition.Name, field, err)
	}
	return endpoint{u, c.discoveryClient(trusted)}, nil
}

func (c *Config) tokenEndpoint() (endpoint, error) {
	o, err := c.oauth()
	if err != nil {
		return endpoint{}, err
	}
	return c.endpoint("token_url", o.TokenURL, c.discovered().TokenURL)
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

// expandOptional is expand, except that the result is empty if an optional param is
// missing.
func (c *Config) expandOptional(field, template string) (string, error) {
	text, err := c.expand(field, template)
	if missing, ok := errors.AsType[*providers.UnfilledError](err); ok {
		if p := c.Definition.Param(missing.Name); p != nil && p.Optional {
			return "", nil
		}
	}
	return text, err
}

// values returns the values that templates can use.
func (c *Config) values() providers.Values {
	values := make(providers.Values)
	maps.Copy(values, c.Values)
	if id := c.clientID(); id != "" {
		values["client_id"] = secret.New(id)
	}
	return values
}

// addParams adds a definition's further parameters to a request.
func (c *Config) addParams(form url.Values, field string, params map[string]string) error {
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

// addResource adds the resource that the token is for to a request. RFC 8707 requires it
// in the authorization, the token and the refresh request.
func (c *Config) addResource(form url.Values) error {
	resource := c.discovered().Resource
	if resource == "" {
		var err error
		if resource, err = c.Definition.ResourceURL(c.values()); err != nil {
			return fmt.Errorf("%s: %w", c.Definition.Name, err)
		}
	}
	if resource != "" {
		form.Set("resource", resource)
	}
	return nil
}

// addScopes adds scopes to a request, if any, in the form that the provider requires.
func (c *Config) addScopes(form url.Values, scopes []string) {
	if len(scopes) == 0 {
		return
	}
	o := c.Definition.OAuth
	form.Set(cmp.Or(o.ScopeParam, "scope"), joinScopes(o, scopes))
}

// defaultScopes returns the scopes to request if the user names none: the definition's, or
// else those that the resource asks for.
func (c *Config) defaultScopes() []string {
	if o := c.Definition.OAuth; o != nil && o.Scopes != nil {
		return o.Scopes
	}
	return c.discovered().Scopes
}
