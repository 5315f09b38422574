package flows

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Ways in which a client authenticates, as definitions name them.
const (
	authNone       = "none"
	authPost       = "post"
	authBasic      = "basic"
	authBasicRaw   = "basic_raw"
	authPrivateKey = "private_key_jwt"
)

// methodName turns the words of RFC 7591 into a definition's.
func methodName(s string) string {
	return strings.TrimPrefix(s, "client_secret_")
}

func (c *Config) clientID() string {
	if c.Client.ID == "" && c.Definition.OAuth != nil {
		return c.Definition.OAuth.ClientID
	}
	return c.Client.ID
}

// clientAuth is how the client authenticates: as its registration said, else as
// the definition says, else as the server's metadata offers. A definition for
// any server cannot know that the user has been given a secret at this one.
func (c *Config) clientAuth() string {
	o := c.Definition.OAuth
	method := methodName(c.Client.TokenAuth)
	switch {
	case method == authBasic && o.TokenAuth == authBasicRaw:
		return authBasicRaw
	case method != "":
		return method
	case o.TokenAuth != "" && !(o.TokenAuth == authNone && c.Server != nil && !c.Client.Secret.IsZero()):
		return o.TokenAuth
	case c.Server == nil || slices.Contains(c.Server.TokenAuth, "client_secret_post") && !slices.Contains(c.Server.TokenAuth, "client_secret_basic"):
		return authPost
	default: // RFC 8414 section 2: what a server that says nothing takes
		return authBasic
	}
}

// authenticate puts the client's authentication on a request, by exactly one
// method (RFC 6749 section 2.3). A client without a secret is a public one, and
// names itself in the body (section 3.2.1).
func (c *Config) authenticate(form url.Values, header http.Header) error {
	o, id, key := c.Definition.OAuth, c.clientID(), c.Client.Secret.Reveal()
	if err := c.checkClient(); err != nil {
		return err
	}
	name := func() {
		if id != "" {
			form.Set(orDefault(o.ClientIDParam, "client_id"), id)
		}
	}
	method := c.clientAuth()
	switch {
	case method == authPrivateKey:
		name()
		return c.clientAssertion(form)
	case method == authBasic && id != "" && (key != "" || o.ClientSecret == "none"):
		basic(header, url.QueryEscape(id), url.QueryEscape(key))
	case method == authBasicRaw && id != "" && (key != "" || o.ClientSecret == "none"):
		basic(header, id, key)
	case method == authPost && key != "":
		name()
		form.Set("client_secret", key)
	case method == authNone, method == authPost, method == authBasic, method == authBasicRaw:
		name()
	default:
		return fmt.Errorf("%s: client authentication %q is not known: %w", c.Definition.Name, printable(method, 40), ErrUnsupported)
	}
	return nil
}

func basic(header http.Header, user, password string) {
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// checkClient refuses to show a client to another server than its own: a secret
// or a refresh token would go to whoever a changed discovery document names.
func (c *Config) checkClient() error {
	if c.Client.Issuer == "" {
		return nil
	}
	id, err := c.ID()
	if err != nil {
		return err
	}
	// A client that the user brought may be kept under what the definition says.
	own, err := c.Definition.Issuer(c.values())
	if err != nil {
		return err
	}
	if c.Client.Issuer != id && c.Client.Issuer != own {
		return fmt.Errorf("%s: %w", c.Definition.Name, ErrClientIssuer)
	}
	return nil
}
