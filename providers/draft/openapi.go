package draft

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/authsome/authsome/providers"
)

// openAPI has the parts of an OpenAPI 3 document that say which servers a service has
// and how requests are authenticated.
type openAPI struct {
	OpenAPI string `json:"openapi" yaml:"openapi"`
	Info    struct {
		Title string `json:"title" yaml:"title"`
	} `json:"info" yaml:"info"`
	ExternalDocs struct {
		URL string `json:"url" yaml:"url"`
	} `json:"externalDocs" yaml:"externalDocs"`
	Servers    []openAPIServer        `json:"servers" yaml:"servers"`
	Paths      map[string]openAPIPath `json:"paths" yaml:"paths"`
	Security   []map[string][]string  `json:"security" yaml:"security"`
	Components struct {
		SecuritySchemes map[string]openAPIScheme `json:"securitySchemes" yaml:"securitySchemes"`
	} `json:"components" yaml:"components"`
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

// FromOpenAPI makes a draft from an OpenAPI 3 document in JSON or YAML. The list x_todo
// of the draft has what the document does not say.
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
		return nil, documentError(err)
	}
	if !strings.HasPrefix(o.OpenAPI, "3.") {
		return nil, errors.New("not an OpenAPI 3 document")
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
		d.Todo = append(d.Todo, "docs: the URL of the vendor's page on authentication")
	}
	d.Todo = append(d.Todo, "category, key_url and verify: see docs/providers.md")
	return d.write()
}

// documentError converts an error of the JSON or YAML decoder, which may contain names
// of Go types.
func documentError(err error) error {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not an OpenAPI document: invalid JSON at byte %d", e.Offset)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("not an OpenAPI document: wrong type of value at byte %d", e.Offset)
	}
	if e, ok := errors.AsType[*yaml.TypeError](err); ok {
		line, _, _ := strings.Cut(e.Errors[0], ":")
		return fmt.Errorf("not an OpenAPI document: wrong type of value in %s", line)
	}
	return fmt.Errorf("not an OpenAPI document: %w", err)
}

// paramName converts a name in the document to the name of a param.
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
