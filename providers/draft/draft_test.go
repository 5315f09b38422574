package draft

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/authsome/authsome/providers"
)

func TestNewIsValidOnceItsTodosAreDone(t *testing.T) {
	text, err := New("acme-2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := providers.Parse(text); err == nil {
		t.Error("Parse accepts an unfinished draft")
	}
	filled := strings.NewReplacer("TODO: the host of the API", "api.acme.com", "TODO: https://…", "https://acme.com").Replace(string(text))
	d, err := providers.Parse([]byte(filled))
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "acme-2" || d.Variables()[0].Name != "ACME_2_API_KEY" {
		t.Errorf("definition %+v", d)
	}
	for _, category := range providers.Categories {
		if !strings.Contains(filled, category) {
			t.Errorf("the comment does not mention category %s", category)
		}
	}
	if _, err := New("A/b"); err == nil {
		t.Error("New accepts a path as a name")
	}
}

func TestFromOpenAPI(t *testing.T) {
	const info = `{"openapi":"3.1.0","info":{"title":"Acme API"},"externalDocs":{"url":"https://acme.com/docs"},`
	for _, tt := range []struct {
		name, document string
		hosts, request string // the entries of inject
		flows          string
		todo           string
	}{
		{"bearer", info + `"servers":[{"url":"https://api.acme.com/v1"},{"url":"http://localhost:8080"}],"security":[{"t":[]}],"components":{"securitySchemes":{"t":{"type":"http","scheme":"Bearer"}}}}`,
			"api.acme.com", "header Authorization Bearer {api_key}", "api_key", "does not have an https URL"},
		{"header", info + `"servers":[{"url":"https://api.acme.com"}],"components":{"securitySchemes":{"k":{"type":"apiKey","in":"header","name":"X-Key"}}}}`, "api.acme.com", "header X-Key {api_key}", "api_key", ""},
		{"query", info + `"servers":[{"url":"https://api.acme.com"}],"components":{"securitySchemes":{"k":{"type":"apiKey","in":"query","name":"key"}}}}`, "api.acme.com", "query key {api_key}", "api_key", ""},
		{"two keys", info + `"servers":[{"url":"https://api.acme.com"}],"security":[{},{"appKey":[],"apiKey":[]},{"t":[]}],"components":{"securitySchemes":{"apiKey":{"type":"apiKey","in":"header","name":"X-Api"},"appKey":{"type":"apiKey","in":"header","name":"X-App"},"t":{"type":"http","scheme":"bearer"}}}}`,
			"api.acme.com", "header X-Api {api_key}, header X-App {app_key}", "api_key", "the document also has the security scheme t"},
		{"basic, in a region", info + `"servers":[{"url":"https://{regionName}.acme.com/api/","variables":{"regionName":{"default":"eu","enum":["eu","us"]}}}],"components":{"securitySchemes":{"b":{"type":"http","scheme":"basic"}}}}`,
			"{region_name}.acme.com", "basic  {username}:{api_key}", "api_key", ""},
		{"oauth", info + `"servers":[{"url":"https://api.acme.com"}],"components":{"securitySchemes":{"o":{"type":"oauth2","flows":{"implicit":{},"authorizationCode":{"authorizationUrl":"https://acme.com/a","tokenUrl":"https://acme.com/t","scopes":{"w":"","r":""}},"clientCredentials":{"tokenUrl":"https://acme.com/t","scopes":{}}}}}}}`,
			"api.acme.com", "", "pkce client_credentials", "oauth.scopes"},
		{"OpenID", info + `"servers":[{"url":"https://api.acme.com"}],"components":{"securitySchemes":{"o":{"type":"openIdConnect","openIdConnectUrl":"https://id.acme.com/.well-known/openid-configuration"}}}}`, "api.acme.com", "", "pkce", ""},
		{"YAML", "openapi: 3.0.3\ninfo: {title: Acme}\nservers:\n  - url: https://api.acme.com\nsecurity:\n  - k: []\npaths: {/x: {get: {responses: {200: {description: ok}}}}}\ncomponents:\n  securitySchemes:\n    k: {type: apiKey, in: header, name: X-Key}\n",
			"api.acme.com", "header X-Key {api_key}", "api_key", "docs: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := FromOpenAPI("acme", []byte(tt.document))
			if err != nil {
				t.Fatal(err)
			}
			d, err := providers.Parse(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			var request []string
			for _, in := range d.Inject {
				value := in.Value
				if in.In == providers.InBasic {
					value = in.Username + ":" + in.Password
				}
				request = append(request, in.In+" "+in.Name+" "+value)
			}
			if got := strings.Join(request, ", "); got != tt.request || strings.Join(d.Hosts, " ") != tt.hosts || strings.Join(d.Flows, " ") != tt.flows || !strings.Contains(string(text), tt.todo) {
				t.Errorf("hosts %v, %q, flows %v in\n%s", d.Hosts, got, d.Flows, text)
			}
		})
	}
	for _, bad := range []string{"", "{", "[]", `{"swagger":"2.0"}`, "a: [", `{"openapi":3}`, "openapi: [3]"} {
		text, err := FromOpenAPI("acme", []byte(bad))
		if err == nil {
			t.Errorf("%q was accepted: %s", bad, text)
		} else if strings.Contains(err.Error(), "Go ") || strings.Contains(err.Error(), "openAPI") {
			t.Errorf("%q: the error names Go types: %v", bad, err)
		}
	}
	// What the document does not say is on the list.
	text, err := FromOpenAPI("acme", []byte(info+`"servers":[{"url":"/v1"}],"components":{"securitySchemes":{"m":{"type":"mutualTLS"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = providers.Parse(text)
	if field, ok := errors.AsType[*providers.FieldError](err); !ok || field.Field != "hosts[0]" || !strings.Contains(string(text), "the document does not say how") {
		t.Errorf("%v\n%s", err, text)
	}
}

// Servers of paths and operations replace those of the document, so their hosts and paths
// get the credential, too.
func TestFromOpenAPIServersOfOperations(t *testing.T) {
	for _, tt := range []struct{ name, rest, hosts, paths, params, todo string }{
		{"operations and paths", `"servers":[{"url":"https://api.acme.com/v1/"}],"paths":{"/a":{"servers":[{"url":"https://files.acme.com/v1"}],"get":{"servers":[{"url":"https://upload.acme.com/v2"}]},"post":{}},
			"/b":{"x-note":7,"summary":"s","delete":{"servers":[{"url":"https://api.acme.com/v3"}]}},"x-extension":"text","/c":null}`,
			"api.acme.com files.acme.com upload.acme.com", "/v1 /v2 /v3", "", ""},
		{"one without a path", `"servers":[{"url":"https://api.acme.com/v1"}],"paths":{"/a":{"post":{"servers":[{"url":"https://upload.acme.com"}]}}}`, "api.acme.com upload.acme.com", "", "", ""},
		{"variables", `"servers":[{"url":"https://api.acme.com/v1"}],"paths":{"/a":{"patch":{"servers":[{"url":"https://{siteName}.acme.com/v1/{version}/x","variables":{"siteName":{"default":"eu"},"version":{"default":"2"}}}]}}}`,
			"api.acme.com {site_name}.acme.com", "/v1", "site_name version", ""},
		{"only of operations", `"paths":{"/a":{"query":{"servers":[{"url":"https://q.acme.com"}]},"additionalOperations":{"COPY":{"servers":[{"url":"https://c.acme.com"}]}}}}`, "q.acme.com c.acme.com", "", "", ""},
		{"relative", `"servers":[{"url":"https://api.acme.com"}],"paths":{"/a":{"get":{"servers":[{"url":"/v2"}]},"put":{"servers":[{"url":"/v2"}]}}}`, "api.acme.com", "", "", `the server "/v2" of the document`},
		{"odd kinds", `"servers":[{"url":"https://api.acme.com"}],"paths":{"/a":[1],"/b":{"get":7,"servers":{"url":"x"},"put":{"servers":"x"}}}`, "api.acme.com", "", "", ""},
	} {
		text := `{"openapi":"3.1.0","info":{"title":"Acme"},"components":{"securitySchemes":{"k":{"type":"http","scheme":"bearer"}}},` + tt.rest + "}"
		var document any
		if err := json.Unmarshal([]byte(text), &document); err != nil {
			t.Fatal(err)
		}
		inYAML, err := yaml.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		for form, text := range map[string][]byte{"JSON": []byte(text), "YAML": inYAML} {
			made, err := FromOpenAPI("acme", text)
			if err != nil {
				t.Errorf("%s in %s: %v", tt.name, form, err)
				continue
			}
			d, err := providers.Parse(made)
			if err != nil {
				t.Errorf("%s in %s: %v\n%s", tt.name, form, err, made)
				continue
			}
			var params []string
			for _, p := range d.Params {
				if p.Name != "api_key" {
					params = append(params, p.Name)
				}
			}
			if got := strings.Join(d.Hosts, " "); got != tt.hosts || strings.Join(d.Paths, " ") != tt.paths || strings.Join(params, " ") != tt.params {
				t.Errorf("%s in %s: hosts %s, paths %v, params %v", tt.name, form, got, d.Paths, params)
			}
			if tt.todo != "" && strings.Count(string(made), strings.ReplaceAll(tt.todo, `"`, `\"`)) != 1 {
				t.Errorf("%s in %s: %s", tt.name, form, made)
			}
		}
	}
}

func TestFromOpenAPILabels(t *testing.T) {
	text, err := FromOpenAPI("acme", []byte(`{"openapi":"3.1.0","info":{"title":"Acme"},"servers":[{"url":"https://api.acme.com"}],"security":[{"login":[],"ökey":[]}],
		"components":{"securitySchemes":{"login":{"type":"http","scheme":"basic"},"ökey":{"type":"apiKey","in":"header","name":"X-Key"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	d, err := providers.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var labels []string
	for _, p := range d.Params {
		labels = append(labels, p.Name+"="+p.Label)
	}
	if got, want := strings.Join(labels, ", "), "username=User name, api_key=Password, key=ökey"; got != want {
		t.Errorf("labels %s, want %s", got, want)
	}
}
