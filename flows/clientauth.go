package flows

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The methods of client authentication, as definitions name them.
const (
	authNone       = "none"
	authPost       = "post"
	authBasic      = "basic"
	authBasicRaw   = "basic_raw"
	authPrivateKey = "private_key_jwt"
)

// methodName translates a method's name in RFC 7591 to its name in definitions.
func methodName(s string) string {
	return strings.TrimPrefix(s, "client_secret_")
}

// clientID returns the id of the client, or of the definition's public client.
func (c *Config) clientID() string {
	if c.Client.ID == "" && c.Definition.OAuth != nil {
		return c.Definition.OAuth.ClientID
	}
	return c.Client.ID
}

// clientAuth returns how the client authenticates: by its registration, else by the
// definition, else by the server's metadata. The definition's "none" does not count if the
// server was discovered and the client has a secret, because a definition for any server
// cannot know that this one issues secrets.
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
	default: // what RFC 8414 section 2 says about a server that names no methods
		return authBasic
	}
}

// authenticate puts the client's authentication on a request, with exactly one method (RFC
// 6749 section 2.3). A client without a secret is a public client and sends its id in the
// body (section 3.2.1).
func (c *Config) authenticate(form url.Values, header http.Header) error {
	o, id, key := c.Definition.OAuth, c.clientID(), c.Client.Secret.Reveal()
	if err := c.checkClient(); err != nil {
		return err
	}
	addID := func() {
		if id != "" {
			form.Set(cmp.Or(o.ClientIDParam, "client_id"), id)
		}
	}
	method := c.clientAuth()
	switch {
	case method == authPrivateKey:
		addID()
		return c.clientAssertion(form)
	case method == authBasic && id != "" && (key != "" || o.ClientSecret == "none"):
		setBasicAuth(header, url.QueryEscape(id), url.QueryEscape(key))
	case method == authBasicRaw && id != "" && (key != "" || o.ClientSecret == "none"):
		setBasicAuth(header, id, key)
	case method == authPost && key != "":
		addID()
		form.Set("client_secret", key)
	case method == authNone, method == authPost, method == authBasic, method == authBasicRaw:
		addID()
	default:
		return fmt.Errorf("%s: unknown client authentication %q: %w", c.Definition.Name, printable(method, 40), errUnsupported)
	}
	return nil
}

// setBasicAuth sets the Authorization header. Unlike [http.Request.SetBasicAuth] it needs
// no request.
func setBasicAuth(header http.Header, user, password string) {
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// checkClient refuses to use a client with another server than its own. Otherwise a changed
// discovery document could direct a secret or a refresh token to any server.
func (c *Config) checkClient() error {
	if c.Client.Issuer == "" {
		return nil
	}
	issuer, err := c.ID()
	if err != nil {
		return err
	}
	// A client that the user registered may be stored with the definition's issuer.
	defined, err := c.Definition.Issuer(c.values())
	if err != nil {
		return err
	}
	if !SameIssuer(c.Client.Issuer, issuer) && c.Client.Issuer != defined {
		return fmt.Errorf("%s: %w", c.Definition.Name, ErrClientIssuer)
	}
	return nil
}
