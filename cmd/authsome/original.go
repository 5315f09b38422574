package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// The members of --json that the Python authsome printed and that have no other name
// here. They are printed next to ours, so that scripts written for it work unchanged.

// originalDefinition is a definition in the form of schema 1, for inspect. It has less
// than the definition itself: one host and one way to send the credential.
type originalDefinition struct {
	SchemaVersion int             `json:"schema_version"`
	Name          string          `json:"name"`
	DisplayName   string          `json:"display_name"`
	AuthType      string          `json:"auth_type"`
	Flow          string          `json:"flow"`
	OAuth         *originalOAuth  `json:"oauth"`
	APIKey        *originalAPIKey `json:"api_key"`
	Export        originalExport  `json:"export"`
	HostURL       *string         `json:"host_url"`
	Docs          *string         `json:"docs"`
	Metadata      struct{}        `json:"metadata"`
}

type originalOAuth struct {
	AuthorizationURL   string   `json:"authorization_url"`
	TokenURL           string   `json:"token_url"`
	RevocationURL      *string  `json:"revocation_url"`
	DeviceURL          *string  `json:"device_authorization_url"`
	Scopes             []string `json:"scopes"`
	PKCE               bool     `json:"pkce"`
	SupportsDeviceFlow bool     `json:"supports_device_flow"`
	SupportsDCR        bool     `json:"supports_dcr"`
	RegistrationURL    *string  `json:"registration_endpoint"`
	BaseURL            *string  `json:"base_url"`
}

type originalAPIKey struct {
	HeaderName   *string `json:"header_name"` // null if the key is not sent in a header
	HeaderPrefix string  `json:"header_prefix"`
	KeyPattern   *string `json:"key_pattern"`
	PatternHint  *string `json:"key_pattern_hint"`
}

type originalExport struct {
	Env map[string]string `json:"env"` // variables, by the name of the value
}

func viewOriginal(d *providers.Definition) originalDefinition {
	v := originalDefinition{
		SchemaVersion: d.SchemaVersion, Name: d.Name, DisplayName: d.DisplayName, AuthType: d.AuthType(),
		HostURL: orNull(hostURL(d, "")), Docs: orNull(cmp.Or(d.Docs, d.KeyURL)), Export: originalExport{map[string]string{}},
	}
	if len(d.Flows) > 0 {
		v.Flow = d.Flows[0]
	}
	for _, e := range d.Variables() {
		if _, known := v.Export.Env[e.Field]; e.Field != "" && !known {
			v.Export.Env[e.Field] = e.Name
		}
	}
	if v.AuthType == providers.AuthAPIKey {
		v.APIKey = viewOriginalKey(d)
	}
	if o := d.OAuth; o != nil {
		v.OAuth = &originalOAuth{
			AuthorizationURL: o.AuthorizationURL, TokenURL: o.TokenURL, DeviceURL: orNull(o.DeviceURL), Scopes: append([]string{}, o.Scopes...),
			PKCE: o.PKCE != "off", SupportsDeviceFlow: d.HasFlow(providers.FlowDeviceCode), SupportsDCR: d.HasFlow(providers.FlowDCRPKCE),
			RegistrationURL: orNull(o.RegistrationURL), BaseURL: orNull(d.BaseURL),
		}
		if o.Revocation != nil {
			v.OAuth.RevocationURL = orNull(o.Revocation.URL)
		}
	}
	return v
}

func viewOriginalKey(d *providers.Definition) *originalAPIKey {
	const key = "{api_key}"
	v := &originalAPIKey{}
	if p := d.Param("api_key"); p != nil {
		v.KeyPattern, v.PatternHint = orNull(p.Pattern), orNull(p.Hint)
	}
	inject := d.Inject
	if len(inject) == 0 {
		inject = []providers.Inject{{In: providers.InHeader, Name: "Authorization", Value: "Bearer " + key}}
	}
	for _, in := range inject {
		if prefix, ok := strings.CutSuffix(in.Value, key); ok && in.In == providers.InHeader {
			v.HeaderName, v.HeaderPrefix = orNull(in.Name), strings.TrimSpace(prefix)
			break
		}
	}
	return v
}

// hostURL is the first host of a definition, with the base URL of a connection if the
// host is a template of it. It is empty if the definition has no host.
func hostURL(d *providers.Definition, baseURL string) string {
	if len(d.Hosts) == 0 {
		return ""
	}
	return strings.ReplaceAll(d.Hosts[0], "{base_url}", cmp.Or(baseURL, d.BaseURL, "{base_url}"))
}

// connectionHost is [hostURL] of a connection, or empty if its definition is missing.
func (a *app) connectionHost(c auth.Connection) string {
	credentials, err := a.auth()
	if err != nil {
		return ""
	}
	d, _, err := credentials.Definition(c)
	if err != nil {
		return ""
	}
	return hostURL(d, c.BaseURL)
}

// originalFields are the members that every connection had in the answer of get, with
// null for those that it does not have.
func (a *app) originalFields(c auth.Connection, profile string, show bool) map[string]any {
	all := map[string]any{"schema_version": 2, "profile": profile, "metadata": metadataOf(c, show)}
	for _, name := range []string{"host_url", "base_url", "scopes", "access_token", "refresh_token", "token_type", "expires_at", "obtained_at", "api_key", "account"} {
		all[name] = nil
	}
	if host := a.connectionHost(c); host != "" {
		all["host_url"] = host
	}
	return all
}

// metadataOf is what the Python authsome stored about a connection. Nothing says that it
// has no secrets, so its values are redacted, unless show is set.
func metadataOf(c auth.Connection, show bool) map[string]any {
	all := map[string]any{}
	if json.Unmarshal(c.Metadata, &all) != nil || show {
		return all
	}
	for name := range all {
		all[name] = secret.Redacted
	}
	return all
}

// originalContext is the answer of whoami.
type originalContext struct {
	Home      string   `json:"home_directory"`
	Profile   string   `json:"active_profile"`
	Version   string   `json:"authsome_version"`
	Mode      string   `json:"encryption_mode"`
	Count     int      `json:"connected_providers_count"`
	Providers []string `json:"connected_providers"`
}

// usableProviders are the providers with a connection that needs no login. The
// connections are sorted by provider.
func usableProviders(connections []auth.Connection) []string {
	all, now := []string{}, time.Now()
	for _, c := range connections {
		if c.Err(now) == nil {
			all = append(all, c.Provider)
		}
	}
	return slices.Compact(all)
}

// orNull is s, or null in JSON if it is empty.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
