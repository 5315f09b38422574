package providers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/net/http/httpguts"
)

// definition1 is a file of schema 1, the Python authsome's, in all spellings
// that it had. Such files are read for ever. Members that are not here are kept
// in the file and mean nothing.
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
	PKCE               *bool    `json:"pkce"` // absent means true
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
	HeaderName   string  `json:"header_name"`   // absent means Authorization
	HeaderPrefix *string `json:"header_prefix"` // absent means Bearer; empty, the key alone
	KeyPattern   string  `json:"key_pattern"`
	PatternHint  string  `json:"key_pattern_hint"`
	EnvVar       string  `json:"env_var"`
}

// export1 names variables by what they hold, {"env": {"api_key": "OPENAI_API_KEY"}},
// or flat and the other way round: {"OPENAI_API_KEY": "API_TOKEN"}.
type export1 struct {
	Env  map[string]list1          `json:"env"`
	Flat map[string]jsontext.Value `json:",embed"`
}

type metadata1 struct {
	Source     string `json:"source"`
	Verified   string `json:"verified"`
	Unverified bool   `json:"unverified"`
}

// list1 is one text or a list of them.
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

// decode1 reads a file of schema 1 into the form of the present one.
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
		f.OAuth.into(d, f.AuthType)
	}
	if f.Registration != nil && d.OAuth != nil {
		d.OAuth.RegistrationURL = f.Registration.Endpoint
	}
	if f.Client != nil && d.OAuth != nil {
		d.OAuth.ClientID = f.Client.ID
	}
	if f.AuthType == AuthAPIKey {
		f.APIKey.into(d)
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
		return &FieldError{"auth_type", fmt.Sprintf("%q is unknown", f.AuthType), "oauth2 or api_key"}
	case !slices.Contains([]string{FlowPKCE, FlowDeviceCode, FlowDCRPKCE, FlowAPIKey}, f.Flow):
		return &FieldError{"flow", fmt.Sprintf("%q is unknown", f.Flow), "pkce, device_code, dcr_pkce or api_key"}
	case (f.AuthType == AuthAPIKey) != (f.Flow == FlowAPIKey):
		return &FieldError{"flow", fmt.Sprintf("an %s service does not sign in by %s", f.AuthType, f.Flow), ""}
	case f.AuthType == AuthOAuth2 && f.OAuth == nil:
		return &FieldError{"oauth", "missing", "an oauth2 service needs at least its token_url"}
	case len(f.HostURL) > 0 && len(f.APIURL) > 0:
		return &FieldError{"api_url", "host_url is there too", "keep one of them"}
	}
	return nil
}

func (o *oauth1) into(d *Definition, authType string) {
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
	// The service's own address among the hosts is the base URL's.
	for i, host := range d.Hosts {
		if strings.TrimPrefix(strings.TrimSuffix(host, "/"), "https://") == strings.TrimPrefix(strings.TrimSuffix(o.BaseURL, "/"), "https://") {
			d.Hosts[i] = "{base_url}"
		}
	}
}

func (k *apiKey1) into(d *Definition) {
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

// export turns the names of variables around. Variables for refresh tokens are
// left out: those are nobody's to read.
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

// validate1 checks what a file of schema 1 can say, by the names that it has for
// it.
func (d *Definition) validate1() error {
	for i := range d.Params {
		if err := checkPattern("api_key.key_pattern", d.Params[i].Pattern); err != nil {
			return err
		}
	}
	for _, in := range d.Inject {
		switch {
		case !httpguts.ValidHeaderFieldName(in.Name):
			return &FieldError{"api_key.header_name", "not a header name", ""}
		case connectionHeader(in.Name):
			return &FieldError{"api_key.header_name", in.Name + " belongs to the connection and carries no key", ""}
		case !httpguts.ValidHeaderFieldValue(in.Value):
			return &FieldError{"api_key.header_prefix", "not a header value", ""}
		}
	}
	for _, e := range d.Env {
		if !validVariable.MatchString(e.Name) {
			return &FieldError{"export", fmt.Sprintf("%q is not the name of a variable", e.Name), ""}
		}
	}
	return d.checkLinks()
}
