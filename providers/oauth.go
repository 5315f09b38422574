package providers

// OAuth is where and how a service hands out tokens. Texts are templates where
// that makes sense: URLs, values of params, resource.
type OAuth struct {
	Issuer           string      `json:"issuer,omitzero"`                   // compared as text: RFC 9207, RFC 8414 section 3.3
	Discovery        string      `json:"discovery,omitzero"`                // "issuer" reads RFC 8414 or OIDC metadata, "resource" begins at RFC 9728
	AuthorizationURL string      `json:"authorization_url,omitzero"`        // where the user is sent to agree; template
	TokenURL         string      `json:"token_url,omitzero"`                // template
	RefreshURL       string      `json:"refresh_url,omitzero"`              // absent means token_url
	DeviceURL        string      `json:"device_authorization_url,omitzero"` // template (RFC 8628)
	RegistrationURL  string      `json:"registration_url,omitzero"`         // template (RFC 7591)
	Revocation       *Revocation `json:"revocation,omitzero"`               // how a token is taken back

	PKCE          string `json:"pkce,omitzero"`            // absent means S256; "off" sends none
	ClientID      string `json:"client_id,omitzero"`       // a public client that everybody may use
	ClientSecret  string `json:"client_secret,omitzero"`   // "required", "optional" or "none"; absent means none with token_auth none, else required
	TokenAuth     string `json:"token_auth,omitzero"`      // post, basic, none, basic_raw, private_key_jwt; absent means post
	TokenBody     string `json:"token_body,omitzero"`      // form or json; absent means form
	ClientIDParam string `json:"client_id_param,omitzero"` // absent means client_id

	Headers         map[string]string `json:"headers,omitzero"`          // on requests to the token endpoint
	AuthorizeParams map[string]string `json:"authorize_params,omitzero"` // further parameters of the authorization URL; the values are templates
	TokenParams     map[string]string `json:"token_params,omitzero"`     // further parameters of a token request
	RefreshParams   map[string]string `json:"refresh_params,omitzero"`   // further parameters of a refresh
	DeviceParams    map[string]string `json:"device_params,omitzero"`    // further parameters of a device authorization request

	Scopes         []string `json:"scopes,omitzero"`          // that are asked for unless the user says otherwise
	ScopeSeparator string   `json:"scope_separator,omitzero"` // absent means a space
	ScopeParam     string   `json:"scope_param,omitzero"`     // absent means scope
	Resource       string   `json:"resource,omitzero"`        // RFC 8707

	Redirect *Redirect `json:"redirect,omitzero"` // where the user is sent back to
	Response *Response `json:"response,omitzero"` // where the members of a token answer are
	JWT      *JWT      `json:"jwt,omitzero"`      // the assertion of jwt_bearer and private_key_jwt

	RefreshReusable          bool   `json:"refresh_reusable,omitzero"`           // a refresh never replaces the refresh token
	RefreshInvalidatesAccess bool   `json:"refresh_invalidates_access,omitzero"` // the old access token ends with a refresh
	Lifetime                 string `json:"lifetime,omitzero"`                   // of an access token whose answer names none, as 1h
}

// Revocation is how a token is taken back. Absent members are RFC 7009's.
type Revocation struct {
	URL    string `json:"url"`             // template; {token} stands for the token
	Method string `json:"method,omitzero"` // absent means POST
	Auth   string `json:"auth,omitzero"`   // client, bearer, none; absent means client
	Body   string `json:"body,omitzero"`   // form, json, none; absent means form
	Param  string `json:"param,omitzero"`  // absent means token
	Tokens string `json:"tokens,omitzero"` // refresh_token, access_token; absent means both, the refresh token first
}

// Redirect is where the authorization server sends the user back to.
type Redirect struct {
	Host string `json:"host,omitzero"` // 127.0.0.1 or localhost; absent means 127.0.0.1
	Port int    `json:"port,omitzero"` // that the client must be registered with; 0 means any
	Path string `json:"path,omitzero"` // that the client must be registered with; absent means any
	URL  string `json:"url,omitzero"`  // an https address in place of all: the user pastes what it was sent
}

// Response says where the members of a token answer are, each as a list of
// places to look at, with dots between levels. Absent lists are RFC 6749's.
type Response struct {
	AccessToken      []string       `json:"access_token,omitzero"`       // absent means access_token
	RefreshToken     []string       `json:"refresh_token,omitzero"`      // absent means refresh_token
	TokenType        []string       `json:"token_type,omitzero"`         // absent means token_type
	ExpiresIn        []string       `json:"expires_in,omitzero"`         // seconds
	ExpiresAt        []string       `json:"expires_at,omitzero"`         // RFC 3339, or seconds or milliseconds since 1970
	RefreshExpiresIn []string       `json:"refresh_expires_in,omitzero"` // seconds
	Scope            []string       `json:"scope,omitzero"`              // absent means scope
	AccountID        []string       `json:"account_id,omitzero"`         // the user's identifier at the service
	AccountLabel     []string       `json:"account_label,omitzero"`      // the user's name at the service
	ErrorWhen        map[string]any `json:"error_when,omitzero"`         // members that make an answer with status 200 an error
}

// JWT is the assertion of the jwt_bearer flow (RFC 7523 section 2.1) and of
// private_key_jwt (section 2.2). Texts are templates.
type JWT struct {
	Key       string            `json:"key"`                // PEM
	KeyID     string            `json:"key_id,omitzero"`    // kid of the header
	Algorithm string            `json:"algorithm,omitzero"` // RS256 or ES256; absent means RS256
	Issuer    string            `json:"issuer,omitzero"`    // iss
	Subject   string            `json:"subject,omitzero"`   // sub
	Audience  string            `json:"audience,omitzero"`  // absent means the token endpoint
	Claims    map[string]string `json:"claims,omitzero"`    // further claims
}
