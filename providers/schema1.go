package providers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// definition1 is a file of schema 1, the format of the Python authsome, in all
// spellings that it had. Support for such files is permanent. Other members are kept
// in the file and ignored.
type definition1 struct {
	SchemaVersion int            `json:"schema_version"`
	Name          string         `json:"name"`
	DisplayName   string         `json:"display_name"`
	AuthType      string         `json:"auth_type"`
	Flow          string         `json:"flow"`
	Category      string         `json:"category"`
	HostURL       list1          `json:"host_url"`
	APIURL        list1          `json:"api_url"` // a later spelling of host_url
	OAuth         *oauth1        `json:"oauth"`
	Registration  *registration1 `json:"registration"`
	Client        *client1       `json:"client"`
	APIKey        *apiKey1       `json:"api_key"`
	Export        *export1       `json:"export"`
	Docs          string         `json:"docs"`
	DocsURL       string         `json:"docs_url"` // a later spelling of docs
	Metadata      *metadata1     `json:"metadata"`
}

type oauth1 struct {
	BaseURL            string   `json:"base_url"`
	AuthorizationURL   string   `json:"authorization_url"`
	TokenURL           string   `json:"token_url"`
	RevocationURL      string   `json:"revocation_url"`
	DeviceURL          string   `json:"device_authorization_url"`
	Scopes             []string `json:"scopes"`
	PKCE               *bool    `json:"pkce"` // if absent, true
	SupportsDeviceFlow bool     `json:"supports_device_flow"`
	SupportsDeviceCode bool     `json:"supports_device_code"` // a later spelling
}

type registration1 struct {
	Endpoint string `json:"registration_endpoint"`
}

type client1 struct {
	ID string `json:"client_id"`
}

type apiKey1 struct {
	HeaderName   string  `json:"header_name"`   // if absent, Authorization
	HeaderPrefix *string `json:"header_prefix"` // if absent, Bearer; if empty, the key alone
	KeyPattern   string  `json:"key_pattern"`
	PatternHint  string  `json:"key_pattern_hint"`
	EnvVar       string  `json:"env_var"`
}

// export1 maps credentials to variables, {"env": {"api_key": "OPENAI_API_KEY"}}, or,
// without env, variables to credentials, {"OPENAI_API_KEY": "API_TOKEN"}.
type export1 struct {
	Env  map[string]list1          `json:"env"`
	Flat map[string]jsontext.Value `json:",embed"`
}

type metadata1 struct {
	Source     string `json:"source"`
	Verified   string `json:"verified"`
	Unverified bool   `json:"unverified"`
}

// list1 is a string or a list of strings.
type list1 []string

func (l *list1) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		var one string
		err := json.UnmarshalDecode(d, &one)
		*l = list1{one}
		return err
	}
	return json.UnmarshalDecode(d, (*[]string)(l))
}

// decode1 converts a file of schema 1 to a definition of schema 2.
func (d *Definition) decode1(data []byte) error {
	var f definition1
	if err := json.Unmarshal(data, &f); err != nil {
		return parseError(err)
	}
	if err := f.check(); err != nil {
		return err
	}
	d.SchemaVersion, d.Name, d.DisplayName, d.Category = 1, f.Name, f.DisplayName, f.Category
	d.Docs = cmp.Or(f.Docs, f.DocsURL)
	d.Hosts = slices.Concat(f.HostURL, f.APIURL)
	d.Flows = []string{f.Flow}
	if f.OAuth != nil {
		f.OAuth.convert(d, f.AuthType)
	}
	if f.Registration != nil && d.OAuth != nil {
		d.OAuth.RegistrationURL = f.Registration.Endpoint
	}
	if f.Client != nil && d.OAuth != nil {
		d.OAuth.ClientID = f.Client.ID
	}
	if f.AuthType == AuthAPIKey {
		f.APIKey.convert(d)
	}
	d.ownBase = d.BaseURL == "" && !slices.Contains(d.Hosts, "{base_url}")
	f.export(d)
	if m := f.Metadata; m != nil {
		d.Metadata = &Metadata{Source: m.Source, Checked: m.Verified, Unverified: m.Unverified}
	}
	return nil
}

func (f *definition1) check() error {
	switch {
	case f.AuthType != AuthOAuth2 && f.AuthType != AuthAPIKey:
		return &FieldError{"auth_type", fmt.Sprintf("unknown value %q", f.AuthType), "use oauth2 or api_key"}
	case !slices.Contains([]string{FlowPKCE, FlowDeviceCode, FlowDCRPKCE, FlowAPIKey}, f.Flow):
		return &FieldError{"flow", fmt.Sprintf("unknown value %q", f.Flow), "use pkce, device_code, dcr_pkce or api_key"}
	case (f.AuthType == AuthAPIKey) != (f.Flow == FlowAPIKey):
		return &FieldError{"flow", fmt.Sprintf("%s is not a flow of auth_type %s", f.Flow, f.AuthType), ""}
	case f.AuthType == AuthOAuth2 && f.OAuth == nil:
		return &FieldError{"oauth", "missing", "oauth2 needs at least oauth.token_url"}
	case len(f.HostURL) > 0 && len(f.APIURL) > 0:
		return &FieldError{"api_url", "api_url and host_url are the same member", "keep one of them"}
	}
	return nil
}

func (o *oauth1) convert(d *Definition, authType string) {
	d.BaseURL = o.BaseURL
	d.OAuth = &OAuth{
		AuthorizationURL: o.AuthorizationURL, TokenURL: o.TokenURL, DeviceURL: o.DeviceURL,
		Scopes: o.Scopes, ClientSecret: "optional",
	}
	if o.RevocationURL != "" {
		d.OAuth.Revocation = &Revocation{URL: o.RevocationURL}
	}
	if o.PKCE != nil && !*o.PKCE {
		d.OAuth.PKCE = "off"
	}
	if authType == AuthOAuth2 && (o.SupportsDeviceFlow || o.SupportsDeviceCode) && !d.HasFlow(FlowDeviceCode) {
		d.Flows = append(d.Flows, FlowDeviceCode)
	}
	// A host that is the same as the base URL follows the connection's base URL.
	for i, host := range d.Hosts {
		if strings.TrimPrefix(strings.TrimSuffix(host, "/"), "https://") == strings.TrimPrefix(strings.TrimSuffix(o.BaseURL, "/"), "https://") {
			d.Hosts[i] = "{base_url}"
		}
	}
}

func (k *apiKey1) convert(d *Definition) {
	p := Param{Name: nameAPIKey, Label: "API key", Secret: true}
	header, value := "Authorization", "Bearer {api_key}"
	if k != nil {
		p.Pattern, p.Hint = k.KeyPattern, k.PatternHint
		header = cmp.Or(k.HeaderName, header)
		if k.HeaderPrefix != nil {
			value = strings.TrimSpace(strings.TrimSpace(*k.HeaderPrefix) + " {api_key}")
		}
	}
	d.Params = []Param{p}
	d.Inject = []Inject{{In: InHeader, Name: header, Value: value}}
}

// export converts the variables. Variables for refresh tokens are left out, because
// no client should read those.
func (f *definition1) export(d *Definition) {
	value := "{access_token}"
	if f.AuthType == AuthAPIKey {
		value = "{api_key}"
	}
	add := func(variables ...string) {
		for _, name := range variables {
			if name != "" && !slices.ContainsFunc(d.Env, func(e Env) bool { return e.Name == name }) {
				d.Env = append(d.Env, Env{Name: name, Value: value})
			}
		}
	}
	if f.APIKey != nil {
		add(f.APIKey.EnvVar)
	}
	if f.Export == nil {
		return
	}
	add(f.Export.Env[nameAPIKey]...)
	add(f.Export.Env[nameAccessToken]...)
	for _, name := range slices.Sorted(maps.Keys(f.Export.Flat)) {
		switch string(f.Export.Flat[name]) {
		case `"API_TOKEN"`, `"API_KEY"`, `"ACCESS_TOKEN"`:
			add(name)
		}
	}
}

// validate1 checks a definition of schema 1. Its errors have the member names of that
// schema.
func (d *Definition) validate1() error {
	for i := range d.Params {
		if err := checkPattern("api_key.key_pattern", d.Params[i].Pattern); err != nil {
			return err
		}
	}
	for _, in := range d.Inject {
		switch member, reason := checkHeader(in.Name, in.Value); {
		case member == "name":
			return &FieldError{"api_key.header_name", reason, ""}
		case member == "value":
			return &FieldError{"api_key.header_prefix", reason, ""}
		}
	}
	for _, e := range d.Env {
		if reason := refusedVariable(e.Name); reason != "" {
			return &FieldError{"export", reason, ""}
		}
	}
	return d.checkLinks()
}
