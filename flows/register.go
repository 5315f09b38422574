package flows

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/providers"
)

// registration is the client metadata that authsome sends (RFC 7591 section 2).
type registration struct {
	RedirectURIs    []string `json:"redirect_uris"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	TokenAuth       string   `json:"token_endpoint_auth_method"`
	ClientName      string   `json:"client_name"`
	ApplicationType string   `json:"application_type"` // the default is web, which does not allow redirects to loopback
	Scope           string   `json:"scope,omitzero"`
	SoftwareID      string   `json:"software_id"`
}

// ObtainClient returns a client for a login: c.Client if it belongs to this server and is
// usable, or else the definition's public client, or else a new one that it registers. The
// error is [ErrNoClient] if the user must register one. If the result is not c.Client,
// store it with the token that it obtains, or delete it with [Config.Deregister].
func (c *Config) ObtainClient(ctx context.Context, redirectURIs []string, scopes []string) (Client, error) {
	c, err := c.Discover(ctx)
	if err != nil {
		return Client{}, err
	}
	redirect := ""
	if len(redirectURIs) > 0 {
		redirect = redirectURIs[0]
	}
	if c.Client.usable(redirect, c.now()) && c.checkClient() == nil {
		return c.Client, nil
	}
	if id := c.Definition.OAuth.ClientID; id != "" {
		return Client{ID: id}, nil
	}
	if c.discovered().RegistrationURL != "" || c.Definition.OAuth.RegistrationURL != "" || c.Definition.DiscoversRegistration() {
		return c.register(ctx, redirectURIs, scopes)
	}
	return Client{}, fmt.Errorf("%s: %w", c.Definition.Name, ErrNoClient)
}

// usable reports whether the client can be used for a login that redirects to redirectURI:
// its secret has not expired, and it was registered for that address.
func (c Client) usable(redirectURI string, now time.Time) bool {
	if !c.SecretExpiresAt.IsZero() && !now.Before(c.SecretExpiresAt) {
		return false
	}
	return c.ID != "" && (len(c.RedirectURIs) == 0 || redirectURI == "" || slices.Contains(c.RedirectURIs, redirectURI))
}

// register registers a client at the provider (RFC 7591), with the redirect URIs of the
// logins to come. Where the server's answer differs from the request, the answer counts.
// The client is for this server only. If it is lost, it stays registered and cannot be
// deleted.
func (c *Config) register(ctx context.Context, redirectURIs []string, scopes []string) (Client, error) {
	c, err := c.Discover(ctx)
	if err != nil {
		return Client{}, err
	}
	found := c.discovered()
	if c.Definition.DiscoversRegistration() {
		if found, err = c.findRegistration(ctx); err != nil {
			return Client{}, err
		}
	}
	e, err := c.endpoint("registration_url", c.Definition.OAuth.RegistrationURL, found.RegistrationURL)
	if err != nil {
		return Client{}, err
	}
	if scopes == nil {
		scopes = c.defaultScopes()
	}
	requested := registration{
		RedirectURIs:    redirectURIs,
		GrantTypes:      []string{"authorization_code", "refresh_token"},
		ResponseTypes:   []string{"code"},
		TokenAuth:       c.registrationAuth(found.TokenAuth),
		ClientName:      softwareName,
		ApplicationType: "native",
		Scope:           strings.Join(scopes, " "),
		SoftwareID:      softwareName,
	}
	if slices.Contains(c.Definition.Flows, providers.FlowDeviceCode) {
		requested.GrantTypes = append(requested.GrantTypes, "urn:ietf:params:oauth:grant-type:device_code")
	}
	body, err := json.Marshal(requested)
	if err != nil {
		return Client{}, fmt.Errorf("%s: write the registration: %w", c.Definition.Name, err)
	}
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}}
	client, err := c.sendRegistration(ctx, request{client: e.client, method: http.MethodPost, url: e.url, header: header, body: string(body)}, requested)
	if err != nil {
		return Client{}, &RegistrationError{e.url.String(), err}
	}
	if c.Definition.DiscoversRegistration() {
		client.RegisteredAt = found.RegistrationURL
	}
	client.Issuer, err = c.ID()
	return client, err
}

func (c *Config) sendRegistration(ctx context.Context, r request, requested registration) (Client, error) {
	got, err := send(ctx, r)
	if err != nil {
		return Client{}, err
	}
	a, err := c.answer(got, nil)
	if err != nil {
		return Client{}, err
	}
	return c.registeredClient(a, requested)
}

// findRegistration asks the host of the authorization endpoint where clients are registered,
// for a definition that does not say it. The metadata must be of the definition's server, and
// nothing else of it is used. The error is [ErrNoClient] if the host does not say it.
func (c *Config) findRegistration(ctx context.Context) (Server, error) {
	e, err := c.endpoint("authorization_url", c.Definition.OAuth.AuthorizationURL, "")
	if err != nil {
		return Server{}, err
	}
	token, err := c.tokenEndpoint()
	if err != nil {
		return Server{}, err
	}
	d := &search{Config: c, trusted: c.trustedHosts()}
	origin := url.URL{Scheme: e.url.Scheme, Host: e.url.Host}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		a, failed := d.document(ctx, origin.JoinPath(path))
		if failed != nil {
			err = failed
		}
		if a == nil {
			continue
		}
		endpoint := a.text([]string{"registration_endpoint"})
		ours := SameIssuer(a.text([]string{"issuer"}), origin.String()) || a.text([]string{"authorization_endpoint"}) == e.url.String() || a.text([]string{"token_endpoint"}) == token.url.String()
		if endpoint == "" || !ours {
			continue
		}
		u, err := discoveredEndpoint(endpoint, d.trusted)
		if err != nil {
			return Server{}, fmt.Errorf("%s: registration_endpoint: %w", c.Definition.Name, err)
		}
		return Server{RegistrationURL: u.String(), TokenAuth: a.list("token_endpoint_auth_methods_supported")}, nil
	}
	if err != nil {
		return Server{}, fmt.Errorf("%s: where clients are registered: %w", c.Definition.Name, err)
	}
	return Server{}, fmt.Errorf("%s: %w", c.Definition.Name, ErrNoClient)
}

// registrationAuth returns the authentication method to register for: the definition's, or
// else "none", because the secret of a program on the user's machine protects nothing (RFC
// 8252 section 8.5). Some servers do not support "none"; then it is one that they support.
func (c *Config) registrationAuth(supported []string) string {
	registered := map[string]string{authBasic: "client_secret_basic", authBasicRaw: "client_secret_basic", authPost: "client_secret_post"}
	preferred := []string{"none", "client_secret_basic", "client_secret_post"}
	if method := registered[c.Definition.OAuth.TokenAuth]; method != "" {
		preferred = append([]string{method}, preferred...)
	}
	for _, method := range preferred {
		if slices.Contains(supported, method) {
			return method
		}
	}
	return preferred[0]
}

// registeredClient reads the answer to a registration.
func (c *Config) registeredClient(a *answer, requested registration) (Client, error) {
	id := a.text([]string{"client_id"})
	if !validToken(id) {
		return Client{}, protocolError(a.status, "no client id in the answer")
	}
	client := Client{ID: id, RedirectURIs: a.list("redirect_uris"), TokenAuth: a.text([]string{"token_endpoint_auth_method"})}
	client.Secret, _ = a.token([]string{"client_secret"})
	client.RegistrationToken, _ = a.token([]string{"registration_access_token"})
	if client.RedirectURIs == nil {
		client.RedirectURIs = requested.RedirectURIs
	}
	switch {
	case client.TokenAuth != "":
		client.TokenAuth = methodName(client.TokenAuth)
	case client.Secret.IsZero():
		client.TokenAuth = authNone
	case requested.TokenAuth != "none":
		client.TokenAuth = methodName(requested.TokenAuth)
	default: // the default of RFC 7591 section 2
		client.TokenAuth = authBasic
	}
	if text := a.text([]string{"scope"}); text != "" {
		client.Scopes = strings.Fields(text)
	}
	if seconds, ok := a.number([]string{"client_secret_expires_at"}); ok && seconds > 0 && seconds < 1e11 {
		client.SecretExpiresAt = time.Unix(int64(seconds), 0).UTC()
	}
	if uri := a.text([]string{"registration_client_uri"}); uri != "" {
		u, err := discoveredEndpoint(uri, c.trustedHosts())
		if err != nil {
			return Client{}, protocolError(a.status, "the client's management address: %w", err)
		}
		client.RegistrationURL = u.String()
	}
	return client, nil
}

// list returns the non-empty strings of a member that is a list, or nil. Some servers send
// a list of one string as that string.
func (a *answer) list(name string) []string {
	if text, ok := a.object[name].(string); ok {
		return strings.Fields(text)
	}
	items, _ := a.object[name].([]any)
	var texts []string
	for _, item := range items {
		if s, ok := item.(string); ok && s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// Deregister deletes the client at the provider (RFC 7592 section 2.3). The error is
// [ErrNotManaged] if its registration returned no address for that.
func (c *Config) Deregister(ctx context.Context) error {
	if c.Client.RegistrationURL == "" || c.Client.RegistrationToken.IsZero() {
		return ErrNotManaged
	}
	trusted := c.trustedHosts()
	u, err := discoveredEndpoint(c.Client.RegistrationURL, trusted)
	if err != nil {
		return fmt.Errorf("%s: the client's management address: %w", c.Definition.Name, err)
	}
	token := c.Client.RegistrationToken.Reveal()
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + token}}
	r, err := send(ctx, request{client: c.discoveryClient(trusted), method: http.MethodDelete, url: u, header: header})
	if err != nil {
		return err
	}
	return c.checkSuccess(r, []string{token})
}
