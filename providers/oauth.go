package providers

// OAuth is where and how a service hands out tokens. Texts are templates where
// that makes sense: URLs, values of params, resource.
type OAuth struct {
	Issuer           string      `json:"issuer,omitzero"`    // compared as text: RFC 9207, RFC 8414 section 3.3
	Discovery        string      `json:"discovery,omitzero"` // "issuer" reads RFC 8414 or OIDC metadata, "resource" begins at RFC 9728
	AuthorizationURL string      `json:"authorization_url,omitzero"`
	TokenURL         string      `json:"token_url,omitzero"`
	RefreshURL       string      `json:"refresh_url,omitzero"` // absent means TokenURL
	DeviceURL        string      `json:"device_authorization_url,omitzero"`
	RegistrationURL  string      `json:"registration_url,omitzero"`
	Revocation       *Revocation `json:"revocation,omitzero"`

	PKCE          string `json:"pkce,omitzero"`            // absent means S256; "off" sends none
	ClientID      string `json:"client_id,omitzero"`       // a public client that everybody may use
	ClientSecret  string `json:"client_secret,omitzero"`   // "required", "optional" or "none"; absent means none with token_auth none, else required
	TokenAuth     string `json:"token_auth,omitzero"`      // post, basic, none, basic_raw, private_key_jwt; absent means post
	TokenBody     string `json:"token_body,omitzero"`      // form or json; absent means form
	ClientIDParam string `json:"client_id_param,omitzero"` // absent means client_id

	Headers         map[string]string `json:"headers,omitzero"` // on requests to the token endpoint
	AuthorizeParams map[string]string `json:"authorize_params,omitzero"`
	TokenParams     map[string]string `json:"token_params,omitzero"`
	RefreshParams   map[string]string `json:"refresh_params,omitzero"`
	DeviceParams    map[string]string `json:"device_params,omitzero"`

	Scopes         []string `json:"scopes,omitzero"`
	ScopeSeparator string   `json:"scope_separator,omitzero"` // absent means a space
	ScopeParam     string   `json:"scope_param,omitzero"`     // absent means scope
	Resource       string   `json:"resource,omitzero"`        // RFC 8707

	Redirect *Redirect `json:"redirect,omitzero"`
	Response *Response `json:"response,omitzero"`
	JWT      *JWT      `json:"jwt,omitzero"`

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
	AccessToken      []string       `json:"access_token,omitzero"`
	RefreshToken     []string       `json:"refresh_token,omitzero"`
	TokenType        []string       `json:"token_type,omitzero"`
	ExpiresIn        []string       `json:"expires_in,omitzero"`         // seconds
	ExpiresAt        []string       `json:"expires_at,omitzero"`         // RFC 3339, or seconds or milliseconds since 1970
	RefreshExpiresIn []string       `json:"refresh_expires_in,omitzero"` // seconds
	Scope            []string       `json:"scope,omitzero"`
	AccountID        []string       `json:"account_id,omitzero"`
	AccountLabel     []string       `json:"account_label,omitzero"`
	ErrorWhen        map[string]any `json:"error_when,omitzero"` // members that make an answer with status 200 an error
}

// JWT is the assertion of the jwt_bearer flow (RFC 7523 section 2.1) and of
// private_key_jwt (section 2.2). Texts are templates.
type JWT struct {
	Key       string            `json:"key"` // PEM
	KeyID     string            `json:"key_id,omitzero"`
	Algorithm string            `json:"algorithm,omitzero"` // RS256 or ES256; absent means RS256
	Issuer    string            `json:"issuer,omitzero"`
	Subject   string            `json:"subject,omitzero"`
	Audience  string            `json:"audience,omitzero"` // absent means the token endpoint
	Claims    map[string]string `json:"claims,omitzero"`
}
