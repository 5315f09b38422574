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

// clientName is what a provider's page calls us.
const clientName = "authsome"

// registration is the client metadata of RFC 7591 section 2 that we send.
type registration struct {
	RedirectURIs    []string `json:"redirect_uris"`
	GrantTypes      []string `json:"grant_types"`
	ResponseTypes   []string `json:"response_types"`
	TokenAuth       string   `json:"token_endpoint_auth_method"`
	ClientName      string   `json:"client_name"`
	ApplicationType string   `json:"application_type"` // absent means web, whose redirects may not be to loopback
	Scope           string   `json:"scope,omitzero"`
	SoftwareID      string   `json:"software_id"`
}

// Register makes a client for us at the provider (RFC 7591). The redirect URIs
// are those that logins will use. What the server answers takes precedence over
// what was asked for. The client belongs to this server alone, and is to be
// stored at once: if it is lost, it stays registered and nobody can delete it.
func (c *Config) Register(ctx context.Context, redirectURIs []string, scopes []string) (Client, error) {
	c, err := c.ready(ctx)
	if err != nil {
		return Client{}, err
	}
	o := c.Definition.OAuth
	e, err := c.endpoint("registration_url", o.RegistrationURL, c.found().RegistrationURL)
	if err != nil {
		return Client{}, err
	}
	if scopes == nil {
		scopes = c.Scopes()
	}
	asked := registration{
		RedirectURIs:    redirectURIs,
		GrantTypes:      []string{"authorization_code", "refresh_token"},
		ResponseTypes:   []string{"code"},
		TokenAuth:       c.registrationAuth(),
		ClientName:      clientName,
		ApplicationType: "native",
		Scope:           strings.Join(scopes, " "),
		SoftwareID:      clientName,
	}
	if slices.Contains(c.Definition.Flows, providers.FlowDeviceCode) {
		asked.GrantTypes = append(asked.GrantTypes, "urn:ietf:params:oauth:grant-type:device_code")
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return Client{}, fmt.Errorf("%s: write the registration: %w", c.Definition.Name, err)
	}
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}}
	r, err := send(ctx, e.client, http.MethodPost, e.url, header, string(body))
	if err != nil {
		return Client{}, err
	}
	a, err := c.answer(r, nil)
	if err != nil {
		return Client{}, err
	}
	client, err := c.registered(a, asked)
	if err != nil {
		return Client{}, err
	}
	client.Issuer, err = c.ID()
	return client, err
}

// registrationAuth prefers what the definition says, then a public client: a
// secret of a program on the user's machine protects nothing (RFC 8252 section
// 8.5). Some servers have no such.
func (c *Config) registrationAuth() string {
	words := map[string]string{authBasic: "client_secret_basic", authBasicRaw: "client_secret_basic", authPost: "client_secret_post"}
	wanted := []string{"none", "client_secret_basic", "client_secret_post"}
	if method := words[c.Definition.OAuth.TokenAuth]; method != "" {
		wanted = append([]string{method}, wanted...)
	}
	for _, method := range wanted {
		if slices.Contains(c.found().TokenAuth, method) {
			return method
		}
	}
	return wanted[0]
}

func (c *Config) registered(a *answer, asked registration) (Client, error) {
	id := a.text([]string{"client_id"})
	if !validToken(id) {
		return Client{}, protocolError(a.status, "no client id in the answer")
	}
	client := Client{ID: id, RedirectURIs: a.list("redirect_uris"), TokenAuth: a.text([]string{"token_endpoint_auth_method"})}
	client.Secret, _ = a.token([]string{"client_secret"})
	client.RegistrationToken, _ = a.token([]string{"registration_access_token"})
	if client.RedirectURIs == nil {
		client.RedirectURIs = asked.RedirectURIs
	}
	switch {
	case client.TokenAuth != "":
		client.TokenAuth = methodName(client.TokenAuth)
	case client.Secret.IsZero():
		client.TokenAuth = authNone
	case asked.TokenAuth != "none":
		client.TokenAuth = methodName(asked.TokenAuth)
	default: // RFC 7591 section 2: what a server that does not say means
		client.TokenAuth = authBasic
	}
	if text := a.text([]string{"scope"}); text != "" {
		client.Scopes = strings.Fields(text)
	}
	if seconds, ok := a.number([]string{"client_secret_expires_at"}); ok && seconds > 0 && seconds < 1e11 {
		client.SecretExpiresAt = time.Unix(int64(seconds), 0).UTC()
	}
	if uri := a.text([]string{"registration_client_uri"}); uri != "" {
		u, err := c.manageURL(uri)
		if err != nil {
			return Client{}, protocolError(a.status, "the address of the client: %w", err)
		}
		client.RegistrationURL = u.String()
	}
	return client, nil
}

// list is a member that is a list of texts; nil if there is none.
func (a *answer) list(name string) []string {
	items, _ := a.object[name].([]any)
	var texts []string
	for _, item := range items {
		if s, ok := item.(string); ok && s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// manageURL reads the address at which a client is managed, which is for the
// server to choose.
func (c *Config) manageURL(s string) (*url.URL, error) { return discoveredEndpoint(s, c.named()) }

// Deregister deletes the client at the provider (RFC 7592 section 2.3). The
// error is [ErrNotManaged] if registration gave no address for that.
func (c *Config) Deregister(ctx context.Context) error {
	if c.Client.RegistrationURL == "" || c.Client.RegistrationToken.IsZero() {
		return ErrNotManaged
	}
	u, err := c.manageURL(c.Client.RegistrationURL)
	if err != nil {
		return fmt.Errorf("%s: the address of the client: %w", c.Definition.Name, err)
	}
	token := c.Client.RegistrationToken.Reveal()
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + token}}
	r, err := send(ctx, c.client(true, c.named()...), http.MethodDelete, u, header, "")
	if err != nil {
		return err
	}
	return c.outcome(r, []string{token})
}

// Usable reports whether the client can be used for a login that comes back to
// redirectURI: its secret has not expired, and it was registered for that.
func (c Client) Usable(redirectURI string, now time.Time) bool {
	if !c.SecretExpiresAt.IsZero() && !now.Before(c.SecretExpiresAt) {
		return false
	}
	return c.ID != "" && (len(c.RedirectURIs) == 0 || redirectURI == "" || slices.Contains(c.RedirectURIs, redirectURI))
}
