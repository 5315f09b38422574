// Package providers knows services: which hosts they have, how a credential is
// put on a request to them, where they hand out tokens, and which variables
// their clients read. Each is a JSON file; adding a service adds no code.
//
// It obtains no credential and stores none. Its invariant: a [Definition] that
// [Parse] returned is valid as a whole, so that nothing later has to doubt a
// host, a URL, a header name or a template in it.
package providers

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/secret"
)

// Definition describes one service, in schema 2. Files of schema 1, which the
// Python authsome had, are read into the same form; see schema1.go.
//
// Texts marked "template" may hold {name}: a param, access_token, client_id or
// base_url. Whatever a template names must be there when it is needed.
type Definition struct {
	Schema        string `json:"$schema,omitzero"` // for editors
	SchemaVersion int    `json:"schema_version"`
	Name          string `json:"name"`                  // lower-case letters, digits, dots, hyphens; the file is called NAME.json
	DisplayName   string `json:"display_name,omitzero"` // the service's name as people write it
	Category      string `json:"category,omitzero"`     // what the service is for
	Docs          string `json:"docs,omitzero"`         // the vendor's page on authentication
	KeyURL        string `json:"key_url,omitzero"`      // where the user makes the key, or registers the OAuth client

	Flows   []string `json:"flows"`                  // how a credential is obtained; the first one unless the user says otherwise
	BaseURL string   `json:"base_url,omitzero"`      // the default of {base_url}, where the service can be self-hosted
	Params  []Param  `json:"params,omitzero"`        // what a connection has besides its token
	Hosts   []string `json:"hosts"`                  // templates: host, host:port or *.suffix
	Paths   []string `json:"paths,omitzero"`         // prefixes, on a segment boundary, that get the credential; none means all
	Exclude []string `json:"exclude_paths,omitzero"` // prefixes under them that get none
	Methods []string `json:"methods,omitzero"`       // that get the credential; none means all

	Inject []Inject `json:"inject,omitzero"` // none means Authorization: Bearer
	Remove []string `json:"remove,omitzero"` // carriers of the client's own to take out: header:Name, query:name

	OAuth    *OAuth    `json:"oauth,omitzero"`    // where and how tokens are handed out
	Env      []Env     `json:"env,omitzero"`      // variables that the service's clients read
	Verify   *Verify   `json:"verify,omitzero"`   // a request that tells a good credential from a bad one
	Metadata *Metadata `json:"metadata,omitzero"` // about the definition itself

	// Source is [Bundled] or [Custom]; it is not part of the file.
	Source string `json:"-"`

	text      []byte // the file
	hosts     []host
	endpoints []endpoint
	ownBase   bool // schema 1: a connection's base_url is a host besides hosts
}

// Sources of a definition.
const (
	Bundled = "bundled"
	Custom  = "custom"
)

// Categories are the values of category.
var Categories = [...]string{
	"llm", "search", "dev", "productivity", "crm", "marketing", "mail", "seo", "data", "cloud",
	"payments", "comms", "social", "media", "recruiting", "support", "automation", "security", "other",
}

// Flows, as flows names them.
const (
	FlowAPIKey            = "api_key"            // the user has it: a key, or several values
	FlowPKCE              = "pkce"               // RFC 6749 section 4.1, with RFC 7636 unless oauth.pkce is off
	FlowDeviceCode        = "device_code"        // RFC 8628
	FlowDCRPKCE           = "dcr_pkce"           // pkce with a client registered on the way, RFC 7591
	FlowClientCredentials = "client_credentials" // RFC 6749 section 4.4
	FlowJWTBearer         = "jwt_bearer"         // RFC 7523 section 2.1
)

// Param is a named value of a connection: a key, a further secret, or a part of
// an address. Of an api_key service, api_key is the name of its key.
type Param struct {
	Name     string `json:"name"`              // as templates have it: lower-case letters, digits, underscores
	Label    string `json:"label,omitzero"`    // what the form calls it
	Secret   bool   `json:"secret,omitzero"`   // it is never shown, and a command finds a placeholder in its place
	Pattern  string `json:"pattern,omitzero"`  // an expression for the whole value
	Hint     string `json:"hint,omitzero"`     // how a value looks, for who has entered another
	Default  string `json:"default,omitzero"`  // the value where none is given
	Optional bool   `json:"optional,omitzero"` // it may be absent; what needs it is then left out

	From  string `json:"from,omitzero"`  // where the value comes from when the user is not asked: token, the answer of the token endpoint; callback, the redirect's query; base_url; or another param
	Path  string `json:"path,omitzero"`  // the member there, with dots between levels
	Match string `json:"match,omitzero"` // an expression whose first group is the value
}

// Places of an [Inject].
const (
	InHeader = "header"
	InQuery  = "query"
	InBasic  = "basic"
	InPath   = "path"
	InSigV4  = "sigv4"
)

// Inject is one thing put on a request.
type Inject struct {
	In       string `json:"in"`                 // the place: header, query, basic, path or sigv4
	Name     string `json:"name,omitzero"`      // of the header or query parameter
	Value    string `json:"value,omitzero"`     // template; for path, what follows prefix up to the next slash
	Prefix   string `json:"prefix,omitzero"`    // path: what stands before the credential, as /bot
	Username string `json:"username,omitzero"`  // basic: template
	Password string `json:"password,omitzero"`  // basic: template
	IfAbsent bool   `json:"if_absent,omitzero"` // only where the client sent none; for values that are no secret

	AccessKey    string `json:"access_key,omitzero"`    // sigv4: template
	SecretKey    string `json:"secret_key,omitzero"`    // sigv4: template
	SessionToken string `json:"session_token,omitzero"` // sigv4: template
}

// Env is a variable that clients of the service read. Where Value holds a
// secret, the child behind the proxy gets Placeholder in its place; where it
// holds none, the child gets the value.
type Env struct {
	Name        string `json:"name"`                 // of the variable
	Value       string `json:"value"`                // template
	Placeholder string `json:"placeholder,omitzero"` // template with {mark}, {mark_word} or {mark_hex}, and params that are no secrets
}

// Verify is a request that answers 2xx to a good credential and 401 or 403 to a
// bad one.
type Verify struct {
	Method string `json:"method,omitzero"` // absent means GET
	URL    string `json:"url"`             // template, on one of the hosts
	Body   string `json:"body,omitzero"`   // JSON
	ID     string `json:"id,omitzero"`     // the account's identifier in the answer: members, with dots
	Label  string `json:"label,omitzero"`  // the account's name in the answer
}

// Metadata is what people should know about the definition itself.
type Metadata struct {
	Source     string `json:"source,omitzero"`     // the page, or the kind of source, that the facts are from
	Checked    string `json:"checked,omitzero"`    // the date somebody looked
	Unverified bool   `json:"unverified,omitzero"` // nobody could check it yet
	Note       string `json:"note,omitzero"`       // what a user should know
}

// Values are what templates are filled with: the params of a connection by name,
// access_token, client_id and base_url.
type Values = map[string]secret.String

// Auth types, as lists and records name them.
const (
	AuthOAuth2 = "oauth2"
	AuthAPIKey = "api_key"
)

// AuthType is what kind of credential a connection of the service usually has:
// [AuthAPIKey] or [AuthOAuth2].
func (d *Definition) AuthType() string {
	if len(d.Flows) > 0 && d.Flows[0] == FlowAPIKey {
		return AuthAPIKey
	}
	return AuthOAuth2
}

// HasFlow reports whether a credential can be obtained by that flow.
func (d *Definition) HasFlow(name string) bool { return slices.Contains(d.Flows, name) }

// Param is the param of that name, or nil.
func (d *Definition) Param(name string) *Param {
	for i := range d.Params {
		if d.Params[i].Name == name {
			return &d.Params[i]
		}
	}
	return nil
}

// secret reports whether what {name} stands for must not be seen.
func (d *Definition) secret(name string) bool {
	if p := d.Param(name); p != nil {
		return p.Secret
	}
	return name == nameAccessToken
}

// Marshal writes the definition as a file that Parse reads: its own file, with
// all that it has, indented anew.
func (d *Definition) Marshal() ([]byte, error) {
	text := jsontext.Value(bytes.Clone(d.text))
	if err := text.Indent(jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("write definition %s: %w", d.Name, err)
	}
	return append(text, '\n'), nil
}
