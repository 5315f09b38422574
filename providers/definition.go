// Package providers knows services: which hosts they have, how a credential is
// put on a request to them, where they hand out tokens, and which variables
// their clients read. Each is a JSON file; adding a service adds no code.
//
// It obtains no credential and stores none. Its invariant: a [Definition] that
// [Parse] returned is valid as a whole, so that nothing later has to doubt a
// host, a URL or a header name in it.
package providers

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Sources of a definition.
const (
	Bundled = "bundled"
	Custom  = "custom"
)

// Auth types and flows of schema 1.
const (
	AuthOAuth2 = "oauth2"
	AuthAPIKey = "api_key"

	FlowPKCE       = "pkce"
	FlowDeviceCode = "device_code"
	FlowDCRPKCE    = "dcr_pkce"
	FlowAPIKey     = "api_key"
)

// Definition describes one service, in schema 1 of the Python authsome. Members
// it does not know are kept and written again.
type Definition struct {
	SchemaVersion int           `json:"schema_version"`
	Name          string        `json:"name"`
	DisplayName   string        `json:"display_name"`
	AuthType      string        `json:"auth_type"`
	Flow          string        `json:"flow"`
	Category      string        `json:"category,omitempty"`
	HostURL       Hosts         `json:"host_url,omitempty"`
	APIURL        Hosts         `json:"api_url,omitempty"` // a later spelling of host_url
	OAuth         *OAuth        `json:"oauth,omitempty"`
	Registration  *Registration `json:"registration,omitempty"`
	Client        *Client       `json:"client,omitempty"`
	APIKey        *APIKey       `json:"api_key,omitempty"`
	Export        *Export       `json:"export,omitempty"`
	Docs          string        `json:"docs,omitempty"`
	DocsURL       string        `json:"docs_url,omitempty"` // a later spelling of docs
	Metadata      *Metadata     `json:"metadata,omitempty"`

	Unknown jsontext.Value `json:",embed"`

	// Source is [Bundled] or [Custom]; it is not part of the file.
	Source string `json:"-"`

	patterns  []Pattern
	endpoints []endpoint
}

// Hosts is one host pattern or a list of them; see [ParsePattern].
type Hosts []string

// UnmarshalJSONFrom reads a string as a list of one.
func (h *Hosts) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		var one string
		err := json.UnmarshalDecode(d, &one)
		*h = Hosts{one}
		return err
	}
	return json.UnmarshalDecode(d, (*[]string)(h))
}

// MarshalJSONTo writes a list of one as a string.
func (h Hosts) MarshalJSONTo(e *jsontext.Encoder) error {
	if len(h) == 1 {
		return json.MarshalEncode(e, h[0])
	}
	return json.MarshalEncode(e, []string(h))
}

// OAuth is where and how a service hands out tokens. {base_url} in a URL stands
// for BaseURL, or for the connection's own.
type OAuth struct {
	BaseURL            string   `json:"base_url,omitempty"`
	AuthorizationURL   string   `json:"authorization_url,omitempty"`
	TokenURL           string   `json:"token_url,omitempty"`
	RevocationURL      string   `json:"revocation_url,omitempty"`
	DeviceURL          string   `json:"device_authorization_url,omitempty"`
	Scopes             []string `json:"scopes,omitempty"`
	PKCE               *bool    `json:"pkce,omitempty"` // absent means true
	SupportsDeviceFlow bool     `json:"supports_device_flow,omitempty"`
	SupportsDeviceCode bool     `json:"supports_device_code,omitempty"` // a later spelling
	SupportsDCR        bool     `json:"supports_dcr,omitempty"`

	Unknown jsontext.Value `json:",embed"`
}

// Registration is dynamic client registration (RFC 7591).
type Registration struct {
	Endpoint string         `json:"registration_endpoint,omitempty"`
	Unknown  jsontext.Value `json:",embed"`
}

// Client names the variables that client credentials may come from.
type Client struct {
	IDEnv     string         `json:"client_id_env,omitempty"`
	SecretEnv string         `json:"client_secret_env,omitempty"`
	Unknown   jsontext.Value `json:",embed"`
}

// APIKey is how a key looks and where it goes on a request.
type APIKey struct {
	HeaderName   string  `json:"header_name,omitempty"`   // absent means Authorization
	HeaderPrefix *string `json:"header_prefix,omitempty"` // absent means Bearer; empty, the key alone
	KeyPattern   string  `json:"key_pattern,omitempty"`   // an expression for the whole key
	PatternHint  string  `json:"key_pattern_hint,omitempty"`
	EnvVar       string  `json:"env_var,omitempty"`

	Unknown jsontext.Value `json:",embed"`
}

// Export names the variables that hold a credential for the service's clients:
// by field, as in {"env": {"api_key": "OPENAI_API_KEY"}}, or flat and the other
// way round, as later files have it: {"OPENAI_API_KEY": "API_TOKEN"}.
type Export struct {
	Env  map[string]Names  `json:"env,omitempty"`
	Flat map[string]string `json:",embed"`
}

// Names is one variable name or a list of them.
type Names []string

// UnmarshalJSONFrom reads a string as a list of one.
func (n *Names) UnmarshalJSONFrom(d *jsontext.Decoder) error { return (*Hosts)(n).UnmarshalJSONFrom(d) }

// MarshalJSONTo writes a list of one as a string.
func (n Names) MarshalJSONTo(e *jsontext.Encoder) error { return Hosts(n).MarshalJSONTo(e) }

// Metadata is what people should know about the definition itself.
type Metadata struct {
	Source      string `json:"source,omitempty"`      // where the facts are from
	Verified    string `json:"verified,omitempty"`    // the date somebody looked
	Unverified  bool   `json:"unverified,omitempty"`  // nobody could check it yet
	Unsupported string `json:"unsupported,omitempty"` // why no credential can be put on its requests yet

	Unknown jsontext.Value `json:",embed"`
}

// Unsupported says why requests to the service cannot be given a credential by
// this schema, or "" when they can.
func (d *Definition) Unsupported() string {
	if d.Metadata == nil {
		return ""
	}
	return d.Metadata.Unsupported
}

// DocsLink is the service's documentation of its keys.
func (d *Definition) DocsLink() string {
	if d.Docs != "" {
		return d.Docs
	}
	return d.DocsURL
}

// HostPatterns are the host patterns as written, under either spelling.
func (d *Definition) HostPatterns() []string { return slices.Concat(d.HostURL, d.APIURL) }

// Patterns are the compiled hosts of the service, and the host of baseURL, a
// connection's own address of it, where there is one.
func (d *Definition) Patterns(baseURL string) ([]Pattern, error) {
	if baseURL == "" {
		return d.patterns, nil
	}
	own, err := ParsePattern(baseURL)
	if err != nil {
		return nil, &FieldError{Field: "base_url", Reason: err.Error()}
	}
	return append(slices.Clone(d.patterns), own), nil
}
