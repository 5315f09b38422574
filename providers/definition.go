// Package providers reads the definitions of services: which hosts a service has,
// how a credential is put on a request, where tokens are issued, and which
// environment variables the service's clients read. A definition is a JSON file, so
// adding a service needs no code.
//
// The package does not obtain or store credentials. Its invariant: a [Definition]
// returned by [Parse] is valid as a whole, so later code can rely on every host,
// URL, header name and template in it.
package providers

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/secret"
)

// Definition describes one service, in schema 2. Files of schema 1, the format of
// the Python authsome, are converted to the same form; see schema1.go.
//
// A string marked "template" may contain {name}, where name is a param,
// access_token, client_id or base_url. Each of them needs a value when the template
// is used. In inject and env, {credential} is the access_token or the api_key,
// whichever the connection has.
type Definition struct {
	Schema        string `json:"$schema,omitzero"` // URL of the JSON schema, for editors
	SchemaVersion int    `json:"schema_version"`
	Name          string `json:"name"`                    // identifier of the provider: up to 64 lower-case letters, digits, dots, hyphens and underscores, a letter or a digit first; the file is called NAME.json
	DisplayName   string `json:"display_name,omitzero"`   // name of the service as people write it
	Category      string `json:"category,omitzero"`       // kind of service
	Docs          string `json:"docs,omitzero"`           // URL of the vendor's page on authentication
	KeyURL        string `json:"key_url,omitzero"`        // URL of the page where the user creates the key or registers the OAuth client
	TokenProvider string `json:"token_provider,omitzero"` // name of the provider of the same service for which the user enters a token instead of signing in

	SelfHosted string `json:"self_hosted,omitzero"` // name of the provider for instances at other addresses, which is used with --base-url

	Flows   []string `json:"flows"`                  // ways to obtain a credential; the first is the default
	BaseURL string   `json:"base_url,omitzero"`      // default of {base_url}, for a service that can be self-hosted
	Params  []Param  `json:"params,omitzero"`        // values of a connection in addition to its token
	Hosts   []string `json:"hosts"`                  // hosts that may receive the credential, each a template of host, host:port or *.suffix
	Paths   []string `json:"paths,omitzero"`         // path prefixes, matched on a segment boundary, that get the credential; if absent, all paths do
	Exclude []string `json:"exclude_paths,omitzero"` // path prefixes within paths that do not get the credential
	Methods []string `json:"methods,omitzero"`       // HTTP methods that get the credential; if absent, all methods do

	OAuthPaths []string `json:"oauth_paths,omitzero"` // paths of other OAuth endpoints of the service, for example of an older version, which do not get the credential; * matches any text in a segment

	Inject []Inject `json:"inject,omitzero"` // what is put on a request; if absent, Authorization: Bearer
	Remove []string `json:"remove,omitzero"` // other places to remove a credential of the client from: header:Name or query:name

	Scrub       string `json:"scrub,omitzero"`        // off: secrets that the service repeats in its responses are not masked
	ScrubReason string `json:"scrub_reason,omitzero"` // why clients need a secret from a response, for people; required with scrub off

	OAuth       *OAuth            `json:"oauth,omitzero"`         // how tokens are obtained, refreshed and revoked
	OAuthByFlow map[string]*OAuth `json:"oauth_by_flow,omitzero"` // what replaces oauth and verify for single flows of another authorization server, by flow
	Env         []Env             `json:"env,omitzero"`           // environment variables that the service's clients read
	Verify      *Verify           `json:"verify,omitzero"`        // request that shows whether a credential works
	Metadata    *Metadata         `json:"metadata,omitzero"`      // information about the definition itself

	// Source is [Bundled] or [Custom]. It is not part of the file.
	Source string `json:"-"`

	text      []byte // content of the file
	hosts     []host
	endpoints []endpoint
	excluded  []excludedPath       // exclude_paths
	known     func() []*Definition // of a user's own definition, the bundled ones with the same hosts
	lenient   bool                 // parts that are refused are left out, and in dropped
	dropped   []*FieldError
	notes     []*FieldError // schema 1: harmless parts that are left out
	ownBase   bool          // schema 1: the base_url of a connection is a host in addition to hosts
}

// Values of [Definition.Source].
const (
	Bundled = "bundled"
	Custom  = "custom"
)

// Categories lists the values of category.
var Categories = [...]string{
	"llm", "search", "dev", "productivity", "crm", "marketing", "mail", "seo", "data", "cloud",
	"payments", "comms", "social", "media", "recruiting", "support", "automation", "security", "other",
}

// Values of flows.
const (
	FlowAPIKey            = "api_key"            // the user enters it: a key, or several values
	FlowPKCE              = "pkce"               // RFC 6749 section 4.1, with RFC 7636 unless oauth.pkce is off
	FlowDeviceCode        = "device_code"        // RFC 8628
	FlowDCRPKCE           = "dcr_pkce"           // pkce with a client that is registered during login, RFC 7591
	FlowClientCredentials = "client_credentials" // RFC 6749 section 4.4
	FlowJWTBearer         = "jwt_bearer"         // RFC 7523 section 2.1
)

// Param is a named value of a connection: a key, another secret, or a part of an
// address. The key of an api_key service is called api_key.
type Param struct {
	Name     string `json:"name"`              // name used in templates: lower-case letters, digits, underscores
	Label    string `json:"label,omitzero"`    // label of the field in the login form
	Secret   bool   `json:"secret,omitzero"`   // the value is never shown, and a command gets a placeholder instead of it
	Pattern  string `json:"pattern,omitzero"`  // regular expression that the whole value must match
	Hint     string `json:"hint,omitzero"`     // what a value looks like or where to find it, for a user who has to enter it
	Default  string `json:"default,omitzero"`  // value that is used if the user gives none
	Optional bool   `json:"optional,omitzero"` // the value may be missing; everything that needs it is then left out

	From  string `json:"from,omitzero"`  // source of a value that the user is not asked for: token (the response of the token endpoint), callback (the query of the redirect), base_url, or the name of another param
	Path  string `json:"path,omitzero"`  // member of the source that has the value, with dots between levels
	Match string `json:"match,omitzero"` // regular expression whose first group is the value
}

// Values of [Inject.In].
const (
	InHeader = "header"
	InQuery  = "query"
	InBasic  = "basic"
	InPath   = "path"
	InSigV4  = "sigv4"
)

// scrubOff is the value of [Definition.Scrub] with which no secret is masked.
const scrubOff = "off"

// Inject puts one value on a request.
type Inject struct {
	In       string `json:"in"`                 // place on the request: header, query, basic, path or sigv4
	Name     string `json:"name,omitzero"`      // name of the header or query parameter
	Value    string `json:"value,omitzero"`     // template of the value; for path, it replaces what follows prefix up to the next slash
	Prefix   string `json:"prefix,omitzero"`    // path: the part of the path before the credential, for example /bot
	Username string `json:"username,omitzero"`  // basic: template of the user name
	Password string `json:"password,omitzero"`  // basic: template of the password
	IfAbsent bool   `json:"if_absent,omitzero"` // set the value only if the client did not send one; not for secrets

	AccessKey    string `json:"access_key,omitzero"`    // sigv4: template of the access key ID
	SecretKey    string `json:"secret_key,omitzero"`    // sigv4: template of the secret access key
	SessionToken string `json:"session_token,omitzero"` // sigv4: template of the session token
}

// Env is an environment variable that clients of the service read. If Value
// contains a secret, the command that authsome runs gets Placeholder instead.
// Otherwise it gets the value. With Unset, the command does not get the variable at
// all: some clients refuse two names of one key, or prefer another kind of credential
// to the key. It needs no Value then.
type Env struct {
	Name        string `json:"name"`                 // name of the variable
	Value       string `json:"value,omitzero"`       // template of the value; required unless unset is true
	Unset       bool   `json:"unset,omitzero"`       // true: commands do not get the variable, because it has another credential of the service, or a second name of one
	Placeholder string `json:"placeholder,omitzero"` // template of the placeholder, with {mark}, {mark_word} or {mark_hex}, and with params that are not secret
}

// Verify is a request to which the service answers 2xx if the credential works, and
// 401 or 403 if it does not.
type Verify struct {
	Method string `json:"method,omitzero"` // HTTP method; if absent, GET
	URL    string `json:"url"`             // template of the URL, on one of the hosts
	Body   string `json:"body,omitzero"`   // body of the request, in JSON
	ID     string `json:"id,omitzero"`     // member of the response that has the identifier of the account, with dots between levels
	Label  string `json:"label,omitzero"`  // member of the response that has the name of the account, with dots between levels
}

// Metadata is information for people about the definition itself.
type Metadata struct {
	Source     string `json:"source,omitzero"`     // URL or other source of the facts
	Checked    string `json:"checked,omitzero"`    // date on which the facts were checked, for example 2026-11-24
	Unverified bool   `json:"unverified,omitzero"` // true if the facts have not been checked
	Note       string `json:"note,omitzero"`       // what a user has to know before using the service

	AppSource  string `json:"app_source,omitzero"`  // where oauth.app_steps and oauth.redirect were found: URLs of pages of the vendor, or public client code, separated by ;
	AppChecked string `json:"app_checked,omitzero"` // date on which somebody looked them up in app_source

	OAuthPathsSource  string `json:"oauth_paths_source,omitzero"`  // where each of oauth_paths was found: the URL of a page of the vendor, public client code, or not confirmed; several are separated by ; and list their paths after :
	OAuthPathsChecked string `json:"oauth_paths_checked,omitzero"` // date on which somebody looked oauth_paths up in oauth_paths_source, for example 2026-11-29; absent if nobody did, or if nothing was found
}

// Values are the values that templates are filled with, by name: the params of a
// connection, access_token, client_id and base_url.
type Values = map[string]secret.String

// Values of [Definition.AuthType], also used in lists and records.
const (
	AuthOAuth2 = "oauth2"
	AuthAPIKey = "api_key"
)

// AuthType returns the kind of credential that the first flow obtains: [AuthAPIKey]
// or [AuthOAuth2].
func (d *Definition) AuthType() string {
	if len(d.Flows) > 0 && d.Flows[0] == FlowAPIKey {
		return AuthAPIKey
	}
	return AuthOAuth2
}

// HasFlow reports whether the definition has the flow.
func (d *Definition) HasFlow(name string) bool { return slices.Contains(d.Flows, name) }

// Param returns the param with the name, or nil.
func (d *Definition) Param(name string) *Param {
	for i := range d.Params {
		if d.Params[i].Name == name {
			return &d.Params[i]
		}
	}
	return nil
}

// secret reports whether the value of {name} in a template is a secret.
func (d *Definition) secret(name string) bool {
	if p := d.Param(name); p != nil {
		return p.Secret
	}
	return name == nameAccessToken || name == nameCredential
}

// Marshal returns the content of the definition's file, with all its members, in
// standard indentation. [Parse] reads it.
func (d *Definition) Marshal() ([]byte, error) {
	text := jsontext.Value(bytes.Clone(d.text))
	if err := text.Indent(jsontext.WithIndent("  ")); err != nil {
		return nil, fmt.Errorf("write definition %s: %w", d.Name, err)
	}
	return append(text, '\n'), nil
}
