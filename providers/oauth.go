package providers

import (
	"cmp"
	"strings"
)

// OAuth says how tokens are obtained, refreshed and revoked. URLs, issuer, resource
// and the values of parameters and headers are templates.
type OAuth struct {
	Issuer           string      `json:"issuer,omitzero"`                   // issuer identifier, compared as text (RFC 9207, RFC 8414 section 3.3)
	Discovery        string      `json:"discovery,omitzero"`                // how endpoints are discovered: "issuer" reads RFC 8414 or OIDC metadata, "resource" begins with RFC 9728 metadata
	AuthorizationURL string      `json:"authorization_url,omitzero"`        // template of the URL at which the user approves access
	TokenURL         string      `json:"token_url,omitzero"`                // template of the token endpoint
	RefreshURL       string      `json:"refresh_url,omitzero"`              // template of the endpoint for refreshes; if absent, token_url
	DeviceURL        string      `json:"device_authorization_url,omitzero"` // template of the device authorization endpoint (RFC 8628)
	RegistrationURL  string      `json:"registration_url,omitzero"`         // template of the client registration endpoint (RFC 7591)
	Revocation       *Revocation `json:"revocation,omitzero"`               // how a token is revoked

	PKCE          string `json:"pkce,omitzero"`            // PKCE method: S256 or off; if absent, S256
	ClientID      string `json:"client_id,omitzero"`       // ID of a public client that all users may use
	ClientSecret  string `json:"client_secret,omitzero"`   // whether the client has a secret: required, optional or none; if absent, none with token_auth none, and required otherwise
	TokenAuth     string `json:"token_auth,omitzero"`      // how the client authenticates to the token endpoint: post, basic, basic_raw, none or private_key_jwt; if absent, post
	TokenBody     string `json:"token_body,omitzero"`      // encoding of a token request: form or json; if absent, form
	ClientIDParam string `json:"client_id_param,omitzero"` // name of the client ID parameter; if absent, client_id

	Headers         map[string]string `json:"headers,omitzero"`          // headers of requests to the token endpoint
	AuthorizeParams map[string]string `json:"authorize_params,omitzero"` // additional parameters of the authorization URL; the values are templates
	TokenParams     map[string]string `json:"token_params,omitzero"`     // additional parameters of a token request; the values are templates
	RefreshParams   map[string]string `json:"refresh_params,omitzero"`   // additional parameters of a refresh request; the values are templates
	DeviceParams    map[string]string `json:"device_params,omitzero"`    // additional parameters of a device authorization request; the values are templates

	ClientIDEnv     string `json:"client_id_env,omitzero"`     // name of an environment variable that a login reads the client ID from
	ClientSecretEnv string `json:"client_secret_env,omitzero"` // name of an environment variable that a login reads the client secret from
	DeviceClient    string `json:"device_client,omitzero"`     // whether the flow device_code needs an OAuth client: required, optional or none; if absent, required
	DeviceTokenBody string `json:"device_token_body,omitzero"` // json if the token requests of the flow device_code are in JSON, with the device code as their only parameter; if absent, they are as those of other flows

	Scopes         []string `json:"scopes,omitzero"`          // scopes that a login requests by default
	ScopeSeparator string   `json:"scope_separator,omitzero"` // separator between scopes; if absent, a space
	ScopeParam     string   `json:"scope_param,omitzero"`     // name of the scope parameter; if absent, scope
	Resource       string   `json:"resource,omitzero"`        // template of the resource parameter (RFC 8707)

	Redirect *Redirect `json:"redirect,omitzero"`  // redirect URI of the client
	AppSteps []AppStep `json:"app_steps,omitzero"` // how the user creates a client at key_url, in order
	Response *Response `json:"response,omitzero"`  // where the members of a token response are
	JWT      *JWT      `json:"jwt,omitzero"`       // assertion for jwt_bearer and private_key_jwt

	RefreshReusable          bool   `json:"refresh_reusable,omitzero"`           // true if a refresh never replaces the refresh token
	RefreshInvalidatesAccess bool   `json:"refresh_invalidates_access,omitzero"` // true if a refresh invalidates the previous access token
	Lifetime                 string `json:"lifetime,omitzero"`                   // lifetime of an access token if the response has none, for example 1h
}

// Revocation says how a token is revoked. The defaults are those of RFC 7009.
type Revocation struct {
	URL    string `json:"url"`             // template of the URL; {token} is replaced by the token
	Method string `json:"method,omitzero"` // HTTP method; if absent, POST
	Auth   string `json:"auth,omitzero"`   // how the request is authenticated: client, bearer or none; if absent, client
	Body   string `json:"body,omitzero"`   // encoding of the request: form, json or none; if absent, form
	Param  string `json:"param,omitzero"`  // name of the parameter that has the token; if absent, token
	Tokens string `json:"tokens,omitzero"` // which token is revoked: refresh_token or access_token; if absent, both, the refresh token first
}

// AppStep is one step in creating an OAuth client, which most services call an app.
type AppStep struct {
	Text string `json:"text"`          // what to do, as a sentence without a period; {redirect_url} and {scopes} are replaced
	Flow string `json:"flow,omitzero"` // the only flow that needs the step; if absent, all do
}

// Names in the text of an [AppStep].
const (
	nameRedirectURL = "redirect_url"
	nameScopes      = "scopes"
)

// Steps returns the steps of a flow, with the values filled in. Without a redirect URL,
// it leaves out the steps that are about it.
func (o *OAuth) Steps(flow, redirectURL string, scopes []string) []string {
	fill := strings.NewReplacer("{"+nameRedirectURL+"}", redirectURL, "{"+nameScopes+"}", strings.Join(scopes, ", "))
	var steps []string
	for _, s := range o.AppSteps {
		needsURL := strings.Contains(s.Text, "{"+nameRedirectURL+"}")
		if (s.Flow == "" || s.Flow == flow) && (!needsURL || redirectURL != "") {
			steps = append(steps, fill.Replace(s.Text))
		}
	}
	return steps
}

// Redirect is the redirect URI, to which the authorization server sends the user
// back. Without it, clients that the user registers have the one of schema 1,
// http://127.0.0.1:7999/callback.
type Redirect struct {
	Host string `json:"host,omitzero"` // host of the loopback address: 127.0.0.1 or localhost; if absent, 127.0.0.1
	Port int    `json:"port,omitzero"` // port that the client is registered with; if absent or 0, the server accepts any port (RFC 8252 section 7.3): 7999, or another one while that is taken
	Path string `json:"path,omitzero"` // path that the client is registered with; if absent, /callback
	URL  string `json:"url,omitzero"`  // https URL to use instead of a loopback address; the user pastes the address of the last page
}

// The parts of the redirect URI that clients have if the definition does not say
// otherwise. The Python authsome used it for every client.
const (
	redirectHost = "127.0.0.1"
	redirectPort = 7999
	redirectPath = "/callback"
)

// RegisteredRedirect returns the redirect URI that a client of the user's is registered
// with, without zero values, unless it has a URL. anyPort reports whether the server
// accepts another port.
func (o *OAuth) RegisteredRedirect() (r Redirect, anyPort bool) {
	if o.Redirect != nil {
		r = *o.Redirect
		anyPort = r.Port == 0
	}
	if r.URL == "" {
		r = Redirect{Host: cmp.Or(r.Host, redirectHost), Port: cmp.Or(r.Port, redirectPort), Path: cmp.Or(r.Path, redirectPath)}
	}
	return r, anyPort && r.URL == ""
}

// Response says where the members of a token response are. Each list has names to
// try in order, with dots between levels. The defaults are the names of RFC 6749.
type Response struct {
	AccessToken      []string       `json:"access_token,omitzero"`       // names of the access token; if absent, access_token
	RefreshToken     []string       `json:"refresh_token,omitzero"`      // names of the refresh token; if absent, refresh_token
	TokenType        []string       `json:"token_type,omitzero"`         // names of the token type; if absent, token_type
	ExpiresIn        []string       `json:"expires_in,omitzero"`         // names of the lifetime in seconds
	ExpiresAt        []string       `json:"expires_at,omitzero"`         // names of the expiry time: RFC 3339, or seconds or milliseconds since 1970
	RefreshExpiresIn []string       `json:"refresh_expires_in,omitzero"` // names of the lifetime of the refresh token, in seconds
	Scope            []string       `json:"scope,omitzero"`              // names of the granted scopes; if absent, scope
	AccountID        []string       `json:"account_id,omitzero"`         // names of the user's identifier at the service
	AccountLabel     []string       `json:"account_label,omitzero"`      // names of the user's name at the service
	ErrorWhen        map[string]any `json:"error_when,omitzero"`         // members with the values that mark a response with status 200 as an error
}

// JWT is the assertion for the jwt_bearer flow (RFC 7523 section 2.1) and for
// private_key_jwt (section 2.2). All members except algorithm are templates.
type JWT struct {
	Key       string            `json:"key"`                // template of the private key, in PEM form
	KeyID     string            `json:"key_id,omitzero"`    // kid in the header
	Algorithm string            `json:"algorithm,omitzero"` // signature algorithm: RS256 or ES256; if absent, RS256
	Issuer    string            `json:"issuer,omitzero"`    // iss claim
	Subject   string            `json:"subject,omitzero"`   // sub claim
	Audience  string            `json:"audience,omitzero"`  // aud claim; if absent, the token endpoint
	Claims    map[string]string `json:"claims,omitzero"`    // additional claims
}
