package providers

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// definition1 is a file of schema 1, the format of the Python authsome, in all
// spellings that it had. Support for such files is permanent. Other members are kept
// in the file and ignored. Members that decide where a secret goes must have values of
// the right kind; of the others, odd values are ignored.
type definition1 struct {
	Name         string               `json:"name"`
	DisplayName  text1                `json:"display_name"`
	AuthType     string               `json:"auth_type"`
	Flow         string               `json:"flow"`
	Category     text1                `json:"category"`
	HostURL      list1                `json:"host_url"`
	APIURL       list1                `json:"api_url"` // a later spelling of host_url
	OAuth        *oauth1              `json:"oauth"`
	Registration loose[registration1] `json:"registration"`
	Client       loose[client1]       `json:"client"`
	APIKey       *apiKey1             `json:"api_key"`
	Export       *export1             `json:"export"`
	Docs         text1                `json:"docs"`
	DocsURL      text1                `json:"docs_url"` // a later spelling of docs
	Metadata     loose[metadata1]     `json:"metadata"`
}

type oauth1 struct {
	BaseURL            string   `json:"base_url"`
	AuthorizationURL   string   `json:"authorization_url"`
	TokenURL           string   `json:"token_url"`
	RevocationURL      string   `json:"revocation_url"`
	DeviceURL          string   `json:"device_authorization_url"`
	DeviceTokenRequest string   `json:"device_token_request"` // oauth2_form or json; if absent, oauth2_form
	RegistrationURL    string   `json:"registration_endpoint"`
	Scopes             []string `json:"scopes"`
	PKCE               *bool1   `json:"pkce"` // if absent, true
	SupportsDeviceFlow bool1    `json:"supports_device_flow"`
	SupportsDeviceCode bool1    `json:"supports_device_code"` // a later spelling
	SupportsDCR        bool1    `json:"supports_dcr"`
}

type registration1 struct {
	Endpoint string `json:"registration_endpoint"` // a later place of oauth.registration_endpoint
}

type client1 struct {
	ID        text1 `json:"client_id"`
	IDEnv     text1 `json:"client_id_env"`
	SecretEnv text1 `json:"client_secret_env"`
}

type apiKey1 struct {
	HeaderName   string  `json:"header_name"`   // if absent, Authorization
	HeaderPrefix *string `json:"header_prefix"` // if absent, Bearer; if empty, the key alone
	KeyPattern   text1   `json:"key_pattern"`
	PatternHint  text1   `json:"key_pattern_hint"`
	EnvVar       text1   `json:"env_var"`
}

// export1 maps credentials to variables, {"env": {"api_key": "OPENAI_API_KEY"}}, or,
// without env, variables to credentials, {"OPENAI_API_KEY": "API_TOKEN"}.
type export1 struct {
	Env  map[string]list1          `json:"env"`
	Flat map[string]jsontext.Value `json:",embed"`
}

type metadata1 struct {
	Source     text1 `json:"source"`
	Verified   text1 `json:"verified"`
	Unverified mark1 `json:"unverified"`
}

// decode1 converts a file of schema 1 to a definition of schema 2. The error is that of
// the JSON decoder.
func (d *Definition) decode1(data []byte, faults *faults) error {
	var f definition1
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	f.check(faults)
	d.SchemaVersion, d.Name, d.DisplayName = 1, f.Name, string(f.DisplayName)
	if slices.Contains(Categories[:], string(f.Category)) {
		d.Category = string(f.Category)
	}
	d.Flows = []string{f.Flow}
	if f.OAuth != nil {
		f.OAuth.convert(d)
	}
	f.hosts(d)
	if d.OAuth != nil {
		f.client(d)
	}
	if f.AuthType == AuthAPIKey {
		f.APIKey.convert(d)
	}
	d.ownBase = d.BaseURL == "" && !slices.Contains(d.Hosts, "{base_url}")
	f.export(d)
	d.Docs = string(cmp.Or(f.Docs, f.DocsURL))
	if err := d.checkLink("docs", d.Docs); err != nil {
		d.note("docs", err.(*FieldError).Reason)
		d.Docs = ""
	}
	if m := f.Metadata.value; m != nil {
		if m.Unverified.odd {
			d.note("metadata.unverified", "not true or false")
		}
		d.Metadata = &Metadata{Source: string(m.Source), Checked: string(m.Verified), Unverified: m.Unverified.set}
	}
	return nil
}

func (f *definition1) check(faults *faults) {
	switch {
	case f.AuthType != AuthOAuth2 && f.AuthType != AuthAPIKey:
		faults.add("auth_type", fmt.Sprintf("unknown value %q", f.AuthType), "use oauth2 or api_key")
	case f.AuthType == AuthOAuth2 && f.OAuth == nil:
		faults.add("oauth", "missing", "oauth2 needs at least oauth.token_url")
	}
	switch {
	case !slices.Contains([]string{FlowPKCE, FlowDeviceCode, FlowDCRPKCE, FlowAPIKey}, f.Flow):
		faults.add("flow", fmt.Sprintf("unknown value %q", f.Flow), "use pkce, device_code, dcr_pkce or api_key")
	case !faults.about("auth_type") && (f.AuthType == AuthAPIKey) != (f.Flow == FlowAPIKey):
		faults.add("flow", fmt.Sprintf("%s is not a flow of auth_type %s", f.Flow, f.AuthType), "")
	}
	if o := f.OAuth; o != nil && !slices.Contains([]string{"", "oauth2_form", "json"}, o.DeviceTokenRequest) {
		faults.add("oauth.device_token_request", fmt.Sprintf("unknown value %q", o.DeviceTokenRequest), "use oauth2_form or json")
	}
}

// note records that a harmless part of the file is left out.
func (d *Definition) note(field, reason string) {
	d.notes = append(d.notes, &FieldError{Field: field, Reason: "not used: " + reason})
}

// hosts converts the hosts.
func (f *definition1) hosts(d *Definition) {
	all := f.HostURL
	if len(all) == 0 {
		all = f.APIURL
	} else if len(f.APIURL) > 0 && !slices.Equal(f.HostURL, f.APIURL) {
		d.note("api_url", "it is the same member as host_url")
	}
	base := strings.TrimPrefix(strings.TrimSuffix(d.BaseURL, "/"), "https://")
	for _, text := range all {
		text = host1(text)
		if base != "" && strings.TrimPrefix(strings.TrimSuffix(text, "/"), "https://") == base {
			text = "{base_url}" // follows the connection's base URL
		}
		if text != "" && !slices.Contains(d.Hosts, text) {
			d.Hosts = append(d.Hosts, text)
		}
	}
}

// host1 returns a host as the patterns of this package have it. The Python authsome put
// the base URL into host_url and then took only the host from it.
func host1(text string) string {
	text = strings.TrimSpace(text)
	if before, after, ok := strings.Cut(text, "{base_url}"); ok && (before == "" || before == "https://") && (after == "" || after[0] == '/') {
		return "{base_url}"
	}
	switch {
	case strings.HasPrefix(text, "regex:"):
		return "regex:" + strings.TrimSpace(strings.TrimPrefix(text, "regex:"))
	case strings.Contains(text, "://"):
	case strings.Contains(text, "/"):
		text = "https://" + text
	default:
		return text
	}
	u, err := url.Parse(strings.Replace(text, "://*.", "://wildcard--.", 1))
	if err != nil || u.RawPath != "" {
		return text
	}
	u.RawQuery, u.ForceQuery, u.Fragment = "", false, ""
	if u.Path != "" {
		slash := strings.HasSuffix(u.Path, "/")
		if u.Path = path.Clean(u.Path); slash && u.Path != "/" {
			u.Path += "/"
		}
	}
	return strings.Replace(u.String(), "://wildcard--.", "://*.", 1)
}

func (o *oauth1) convert(d *Definition) {
	if d.BaseURL = strings.TrimSpace(o.BaseURL); d.BaseURL != "" && !strings.Contains(d.BaseURL, "://") {
		d.BaseURL = "https://" + d.BaseURL
	}
	d.OAuth = &OAuth{
		AuthorizationURL: strings.TrimSpace(o.AuthorizationURL), TokenURL: strings.TrimSpace(o.TokenURL),
		DeviceURL: strings.TrimSpace(o.DeviceURL), RegistrationURL: strings.TrimSpace(o.RegistrationURL),
		Scopes: o.Scopes, ClientSecret: "optional",
	}
	if url := strings.TrimSpace(o.RevocationURL); url != "" {
		d.OAuth.Revocation = &Revocation{URL: url}
	}
	if o.PKCE != nil && !bool(*o.PKCE) {
		d.OAuth.PKCE = "off"
	}
	if o.SupportsDeviceFlow || o.SupportsDeviceCode {
		d.addFlow(FlowDeviceCode)
	}
	if d.HasFlow(FlowDeviceCode) {
		d.OAuth.DeviceClient = "optional"
	}
	if o.DeviceTokenRequest == "json" {
		d.OAuth.DeviceTokenBody, d.OAuth.DeviceClient = "json", "none"
	}
}

// addFlow adds a flow that the definition has in addition to its usual one.
func (d *Definition) addFlow(flow string) {
	if !d.HasFlow(flow) && !d.HasFlow(FlowAPIKey) {
		d.Flows = append(d.Flows, flow)
	}
}

// client converts what is known about the OAuth client.
func (f *definition1) client(d *Definition) {
	if r := f.Registration.value; r != nil {
		d.OAuth.RegistrationURL = cmp.Or(strings.TrimSpace(r.Endpoint), d.OAuth.RegistrationURL)
	}
	if f.OAuth.SupportsDCR || d.OAuth.RegistrationURL != "" {
		d.addFlow(FlowDCRPKCE)
	}
	c := f.Client.value
	if c == nil {
		return
	}
	d.OAuth.ClientID = string(c.ID)
	for _, v := range []struct {
		member string
		name   text1
		to     *string
	}{{"client.client_id_env", c.IDEnv, &d.OAuth.ClientIDEnv}, {"client.client_secret_env", c.SecretEnv, &d.OAuth.ClientSecretEnv}} {
		if v.name == "" {
			continue
		}
		if reason := refusedVariable(string(v.name)); reason != "" {
			d.drop(v.member, "%s", reason)
			continue
		}
		*v.to = string(v.name)
	}
}

func (k *apiKey1) convert(d *Definition) {
	p := Param{Name: nameAPIKey, Label: "API key", Secret: true}
	header, value := "Authorization", "Bearer {api_key}"
	if k != nil {
		p.Pattern, p.Hint = string(k.KeyPattern), string(k.PatternHint)
		header = cmp.Or(strings.TrimSpace(k.HeaderName), header)
		if k.HeaderPrefix != nil {
			value = strings.TrimSpace(strings.TrimSpace(*k.HeaderPrefix) + " {api_key}")
		}
	}
	if err := checkPattern("", p.Pattern); err != nil {
		d.note("api_key.key_pattern", err.Error())
		p.Pattern = ""
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
			name = strings.TrimSpace(name)
			if name != "" && !slices.ContainsFunc(d.Env, func(e Env) bool { return e.Name == name }) {
				d.Env = append(d.Env, Env{Name: name, Value: value})
			}
		}
	}
	if f.APIKey != nil {
		add(string(f.APIKey.EnvVar))
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
func (d *Definition) validate1(f *faults) {
	f.addError(validateName1(d.Name))
	for _, in := range d.Inject {
		switch member, reason := checkHeader(in.Name, in.Value); {
		case member == "name":
			f.add("api_key.header_name", reason, "")
		case member == "value":
			f.add("api_key.header_prefix", reason, "")
		}
	}
}

// validateName1 checks the name of a provider, which can have capitals in schema 1.
func validateName1(name string) error {
	if !validName1.MatchString(name) || strings.Contains(name, "..") {
		return &FieldError{"name", "invalid name", "use up to 64 letters, digits, dots, hyphens and underscores, start with a letter or a digit, and put no two dots together"}
	}
	return nil
}

// DiscoversRegistration reports whether a login asks the authorization server where
// clients are registered. The Python authsome did so for a definition with the flow
// dcr_pkce that does not say it.
func (d *Definition) DiscoversRegistration() bool {
	return d.SchemaVersion == 1 && d.HasFlow(FlowDCRPKCE) && d.OAuth != nil && d.OAuth.RegistrationURL == ""
}
