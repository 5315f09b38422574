package draft

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/authsome/authsome/providers"
)

// openAPI is what an OpenAPI 3 document says about where a service is and how
// its requests are authenticated.
type openAPI struct {
	OpenAPI string `json:"openapi" yaml:"openapi"`
	Info    struct {
		Title string `json:"title" yaml:"title"`
	} `json:"info" yaml:"info"`
	ExternalDocs struct {
		URL string `json:"url" yaml:"url"`
	} `json:"externalDocs" yaml:"externalDocs"`
	Servers    []openAPIServer       `json:"servers" yaml:"servers"`
	Security   []map[string][]string `json:"security" yaml:"security"`
	Components struct {
		SecuritySchemes map[string]openAPIScheme `json:"securitySchemes" yaml:"securitySchemes"`
	} `json:"components" yaml:"components"`
}

type openAPIServer struct {
	URL       string `json:"url" yaml:"url"`
	Variables map[string]struct {
		Default string   `json:"default" yaml:"default"`
		Enum    []string `json:"enum" yaml:"enum"`
	} `json:"variables" yaml:"variables"`
}

type openAPIScheme struct {
	Type   string `json:"type" yaml:"type"`
	Name   string `json:"name" yaml:"name"`
	In     string `json:"in" yaml:"in"`
	Scheme string `json:"scheme" yaml:"scheme"`
	OpenID string `json:"openIdConnectUrl" yaml:"openIdConnectUrl"`
	Flows  struct {
		AuthorizationCode   *openAPIFlow `json:"authorizationCode" yaml:"authorizationCode"`
		ClientCredentials   *openAPIFlow `json:"clientCredentials" yaml:"clientCredentials"`
		DeviceAuthorization *openAPIFlow `json:"deviceAuthorization" yaml:"deviceAuthorization"`
	} `json:"flows" yaml:"flows"`
}

type openAPIFlow struct {
	AuthorizationURL string            `json:"authorizationUrl" yaml:"authorizationUrl"`
	DeviceURL        string            `json:"deviceAuthorizationUrl" yaml:"deviceAuthorizationUrl"`
	TokenURL         string            `json:"tokenUrl" yaml:"tokenUrl"`
	RefreshURL       string            `json:"refreshUrl" yaml:"refreshUrl"`
	Scopes           map[string]string `json:"scopes" yaml:"scopes"`
}

// FromOpenAPI makes a definition from an OpenAPI 3 document in JSON or YAML.
// What the document does not say is on the list x_todo of the draft.
func FromOpenAPI(name string, document []byte) ([]byte, error) {
	if err := providers.ValidateName(name); err != nil {
		return nil, err
	}
	var o openAPI
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(document), []byte("{")) {
		err = json.Unmarshal(document, &o)
	} else {
		err = yaml.Unmarshal(document, &o)
	}
	if err != nil {
		return nil, fmt.Errorf("not an OpenAPI document: %w", err)
	}
	if !strings.HasPrefix(o.OpenAPI, "3.") {
		return nil, fmt.Errorf("not a document of OpenAPI 3")
	}
	d := &drafted{Definition: providers.Definition{
		Schema: schemaURL, SchemaVersion: 2, Name: name, DisplayName: cmp.Or(o.Info.Title, name), Category: "other",
		Metadata: &providers.Metadata{Source: "the vendor's OpenAPI document", Unverified: true},
	}}
	if strings.HasPrefix(o.ExternalDocs.URL, "https://") {
		d.Docs = o.ExternalDocs.URL
	}
	o.servers(d)
	o.security(d)
	if d.Docs == "" {
		d.Todo = append(d.Todo, "docs: the vendor's page on authentication")
	}
	d.Todo = append(d.Todo, "category, key_url and verify: see docs/providers.md")
	return d.write()
}

// servers become hosts and paths; their variables, params.
func (o *openAPI) servers(d *drafted) {
	for _, s := range o.Servers {
		rest, ok := strings.CutPrefix(s.URL, "https://")
		if !ok {
			d.Todo = append(d.Todo, fmt.Sprintf("hosts: the document has a server %q, which is no https URL", s.URL))
			continue
		}
		for _, variable := range slices.Sorted(maps.Keys(s.Variables)) {
			param := paramName(variable)
			rest = strings.ReplaceAll(rest, "{"+variable+"}", "{"+param+"}")
			v := s.Variables[variable]
			if d.Param(param) != nil {
				continue
			}
			p := providers.Param{Name: param, Default: v.Default}
			if len(v.Enum) > 0 {
				for i, value := range v.Enum {
					v.Enum[i] = regexp.QuoteMeta(value)
				}
				p.Pattern = strings.Join(v.Enum, "|")
			}
			d.Params = append(d.Params, p)
		}
		host, path, _ := strings.Cut(rest, "/")
		if host = strings.ToLower(host); host != "" && !slices.Contains(d.Hosts, host) {
			d.Hosts = append(d.Hosts, host)
		}
		if path = strings.TrimSuffix("/"+path, "/"); path != "" && !strings.Contains(path, "{") && !slices.Contains(d.Paths, path) {
			d.Paths = append(d.Paths, path)
		}
	}
	if len(d.Hosts) == 0 {
		d.Hosts = []string{"TODO: the host of the API"}
	}
}

func paramName(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case r >= 'A' && r <= 'Z':
			if b.Len() > 0 && !strings.HasSuffix(b.String(), "_") {
				b.WriteByte('_')
			}
			b.WriteRune(r + 'a' - 'A')
		case b.Len() > 0:
			b.WriteByte('_')
		}
	}
	name := strings.Trim(b.String(), "_")
	if name == "" || providers.IsReserved(name) {
		name += "_value"
	}
	return strings.TrimPrefix(name, "_")
}

// security takes the first way to authenticate that a definition can have: all
// schemes of one requirement together. The others are named.
func (o *openAPI) security(d *drafted) {
	var ways [][]string
	for _, requirement := range o.Security {
		if len(requirement) > 0 {
			ways = append(ways, slices.Sorted(maps.Keys(requirement)))
		}
	}
	if ways == nil {
		for _, name := range slices.Sorted(maps.Keys(o.Components.SecuritySchemes)) {
			ways = append(ways, []string{name})
		}
	}
	for i, way := range ways {
		if !o.take(d, way) {
			d.Todo = append(d.Todo, fmt.Sprintf("the document's way %s cannot be a definition", strings.Join(way, " and ")))
			continue
		}
		for _, other := range ways[i+1:] {
			d.Todo = append(d.Todo, fmt.Sprintf("the document knows %s, too: a definition of its own", strings.Join(other, " and ")))
		}
		return
	}
	d.Todo = append(d.Todo, "flows and inject: the document does not say how requests are authenticated")
	d.Flows = []string{providers.FlowAPIKey}
}

// take puts all schemes of a requirement into the draft, or none.
func (o *openAPI) take(d *drafted, way []string) bool {
	var inject []providers.Inject
	var params []providers.Param
	secretParam := func(scheme string) string {
		name := "api_key"
		if slices.ContainsFunc(params, func(p providers.Param) bool { return p.Secret }) {
			name = paramName(scheme)
		}
		params = append(params, providers.Param{Name: name, Label: scheme, Secret: true})
		return "{" + name + "}"
	}
	for _, name := range way {
		s := o.Components.SecuritySchemes[name]
		switch kind := s.Type + " " + strings.ToLower(cmp.Or(s.In, s.Scheme)); kind {
		case "apiKey header":
			inject = append(inject, providers.Inject{In: providers.InHeader, Name: s.Name, Value: secretParam(name)})
		case "apiKey query":
			inject = append(inject, providers.Inject{In: providers.InQuery, Name: s.Name, Value: secretParam(name)})
		case "apiKey cookie":
			inject = append(inject, providers.Inject{In: providers.InHeader, Name: "Cookie", Value: s.Name + "=" + secretParam(name)})
		case "http bearer":
			inject = append(inject, providers.Inject{In: providers.InHeader, Name: "Authorization", Value: "Bearer " + secretParam(name)})
		case "http basic":
			params = append(params, providers.Param{Name: "username", Label: "User name"})
			inject = append(inject, providers.Inject{In: providers.InBasic, Username: "{username}", Password: secretParam("password")})
			params[len(params)-1].Label = "Password"
		case "oauth2 ", "openIdConnect ":
			if len(way) > 1 || !s.into(d) {
				return false
			}
			return true
		default:
			return false
		}
	}
	d.Flows, d.Inject = []string{providers.FlowAPIKey}, inject
	d.Params = append(params, d.Params...)
	prefix := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(d.Name))
	for _, p := range params {
		if p.Secret {
			d.Env = append(d.Env, providers.Env{Name: prefix + "_" + strings.ToUpper(p.Name), Value: "{" + p.Name + "}"})
		}
	}
	d.Todo = append(d.Todo, "env: the names that the service's clients really read, and placeholders in the shape that they check")
	return true
}

// into takes the endpoints of providers.OAuth flows.
func (s *openAPIScheme) into(d *drafted) bool {
	oauth := &providers.OAuth{}
	var flows []string
	take := func(f *openAPIFlow, flow string) {
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
	take(s.Flows.AuthorizationCode, providers.FlowPKCE)
	take(s.Flows.DeviceAuthorization, providers.FlowDeviceCode)
	take(s.Flows.ClientCredentials, providers.FlowClientCredentials)
	if u, err := url.Parse(s.OpenID); s.Type == "openIdConnect" && err == nil && u.Scheme == "https" {
		flows = []string{providers.FlowPKCE}
		oauth.Discovery, oauth.Issuer = "issuer", strings.TrimSuffix(s.OpenID, "/.well-known/openid-configuration")
	}
	if flows == nil {
		return false
	}
	d.Flows, d.OAuth = flows, oauth
	d.Todo = append(d.Todo, "oauth.scopes: those that a login should ask for", "key_url: where a user registers the providers.OAuth client")
	return true
}
