package draft

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// security adds the first security requirement that a definition can express, with all
// of its schemes. The other requirements go on the list.
func (o *openAPI) security(d *drafted) {
	var requirements [][]string
	for _, requirement := range o.Security {
		if len(requirement) > 0 {
			requirements = append(requirements, slices.Sorted(maps.Keys(requirement)))
		}
	}
	if requirements == nil {
		for _, name := range slices.Sorted(maps.Keys(o.Components.SecuritySchemes)) {
			requirements = append(requirements, []string{name})
		}
	}
	for i, schemes := range requirements {
		if !o.addSchemes(d, schemes) {
			d.Todo = append(d.Todo, fmt.Sprintf("the document's security scheme %s cannot be expressed in a definition", strings.Join(schemes, " and ")))
			continue
		}
		for _, other := range requirements[i+1:] {
			d.Todo = append(d.Todo, fmt.Sprintf("the document also has the security scheme %s; write a separate definition for it", strings.Join(other, " and ")))
		}
		return
	}
	d.Todo = append(d.Todo, "flows and inject: the document does not say how requests are authenticated")
	d.Flows = []string{providers.FlowAPIKey}
}

// keyed is what the schemes of a requirement add to a definition with the flow api_key.
type keyed struct {
	inject []providers.Inject
	params []providers.Param
}

// secret adds a secret param and returns its template. The first one is called api_key.
func (k *keyed) secret(scheme, label string) string {
	name := "api_key"
	if slices.ContainsFunc(k.params, func(p providers.Param) bool { return p.Secret }) {
		name = paramName(scheme)
	}
	k.params = append(k.params, providers.Param{Name: name, Label: label, Secret: true})
	return "{" + name + "}"
}

// add adds a scheme. It reports false if the definition cannot express it.
func (k *keyed) add(name string, s openAPIScheme) bool {
	switch s.Type + " " + strings.ToLower(cmp.Or(s.In, s.Scheme)) {
	case "apiKey header":
		k.inject = append(k.inject, providers.Inject{In: providers.InHeader, Name: s.Name, Value: k.secret(name, name)})
	case "apiKey query":
		k.inject = append(k.inject, providers.Inject{In: providers.InQuery, Name: s.Name, Value: k.secret(name, name)})
	case "apiKey cookie":
		k.inject = append(k.inject, providers.Inject{In: providers.InHeader, Name: "Cookie", Value: s.Name + "=" + k.secret(name, name)})
	case "http bearer":
		k.inject = append(k.inject, providers.Inject{In: providers.InHeader, Name: "Authorization", Value: "Bearer " + k.secret(name, name)})
	case "http basic":
		k.params = append(k.params, providers.Param{Name: "username", Label: "User name"})
		k.inject = append(k.inject, providers.Inject{In: providers.InBasic, Username: "{username}", Password: k.secret("password", "Password")})
	default:
		return false
	}
	return true
}

// addSchemes adds all schemes of a requirement to the draft, or none of them.
func (o *openAPI) addSchemes(d *drafted, names []string) bool {
	var k keyed
	for _, name := range names {
		s := o.Components.SecuritySchemes[name]
		if s.Type == "oauth2" || s.Type == "openIdConnect" {
			return len(names) == 1 && s.addOAuth(d)
		}
		if !k.add(name, s) {
			return false
		}
	}
	d.Flows, d.Inject = []string{providers.FlowAPIKey}, k.inject
	d.Params = append(k.params, d.Params...)
	for _, p := range k.params {
		if name := variablePrefix(d.Name) + "_" + strings.ToUpper(p.Name); p.Secret && providers.AllowsVariable(name) {
			d.Env = append(d.Env, providers.Env{Name: name, Value: "{" + p.Name + "}"})
		}
	}
	d.Todo = append(d.Todo, "env: the variables that the service's clients read, with placeholders in the shape that they check")
	return true
}

// addOAuth adds the flows of an OAuth or OpenID Connect scheme with their endpoints. It
// reports false if a definition has none of the flows.
func (s *openAPIScheme) addOAuth(d *drafted) bool {
	oauth := &providers.OAuth{}
	var flows []string
	add := func(f *openAPIFlow, flow string) {
		if f == nil {
			return
		}
		flows = append(flows, flow)
		oauth.TokenURL = cmp.Or(oauth.TokenURL, f.TokenURL)
		oauth.AuthorizationURL = cmp.Or(oauth.AuthorizationURL, f.AuthorizationURL)
		oauth.DeviceURL = cmp.Or(oauth.DeviceURL, f.DeviceURL)
		if f.RefreshURL != f.TokenURL {
			oauth.RefreshURL = cmp.Or(oauth.RefreshURL, f.RefreshURL)
		}
		if oauth.Scopes == nil {
			oauth.Scopes = slices.Sorted(maps.Keys(f.Scopes))
		}
	}
	add(s.Flows.AuthorizationCode, providers.FlowPKCE)
	add(s.Flows.DeviceAuthorization, providers.FlowDeviceCode)
	add(s.Flows.ClientCredentials, providers.FlowClientCredentials)
	if u, err := url.Parse(s.OpenID); s.Type == "openIdConnect" && err == nil && u.Scheme == "https" {
		flows = []string{providers.FlowPKCE}
		oauth.Discovery, oauth.Issuer = "issuer", strings.TrimSuffix(s.OpenID, "/.well-known/openid-configuration")
	}
	if flows == nil {
		return false
	}
	d.Flows, d.OAuth = flows, oauth
	d.Todo = append(d.Todo, "oauth.scopes: the scopes that a login requests", "key_url: the page where a user registers the OAuth client")
	return true
}
