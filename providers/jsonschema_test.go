package providers

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "../docs/provider.schema.json"

// TestPublishedSchemaIsUpToDate generates the published schema from the members and
// comments of the Go types and from the value sets of validation.
func TestPublishedSchemaIsUpToDate(t *testing.T) {
	got := publishedSchema(t)
	if *update {
		if err := os.WriteFile(schemaFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s differs from the Go types (%v): go test ./providers -update writes it", schemaFile, err)
	}
}

func publishedSchema(t *testing.T) []byte {
	t.Helper()
	s := schema{t: t, comments: fieldComments(t)}
	root := s.object(reflect.TypeFor[Definition](), "")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://raw.githubusercontent.com/authsome/authsome/main/docs/provider.schema.json"
	root["title"] = "authsome provider definition"
	root["description"] = "One service: which hosts get its credential, how the credential is put on a request, and how it is obtained. See docs/providers.md."
	text, err := json.Marshal(root, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

type schema struct {
	t        *testing.T
	comments map[string]string // by type and field, for example Param.Name
}

func (s schema) object(t reflect.Type, at string) map[string]any {
	properties := map[string]any{}
	var needed []string
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		field := strings.TrimPrefix(at+"."+name, ".")
		member := s.value(f.Type, field)
		if comment := s.comments[t.Name()+"."+f.Name]; comment != "" {
			member["description"] = comment
		} else if name != "schema_version" {
			s.t.Errorf("%s.%s has no comment for its description", t.Name(), f.Name)
		}
		properties[name] = member
		if options == "" {
			needed = append(needed, name)
		}
	}
	object := map[string]any{
		"type": "object", "properties": properties, "additionalProperties": false,
		"patternProperties": map[string]any{"^x_": true},
	}
	if needed != nil {
		object["required"] = needed
	}
	switch t {
	case reflect.TypeFor[Inject]():
		object["allOf"] = injectRules()
	case reflect.TypeFor[Env]():
		unset := map[string]any{"properties": map[string]any{"unset": map[string]any{"const": true}}, "required": []string{"unset"}}
		object["anyOf"] = []any{map[string]any{"required": []string{"value"}}, unset}
	}
	return object
}

func (s schema) value(t reflect.Type, at string) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return s.value(t.Elem(), at)
	case reflect.Struct:
		return s.object(t, at)
	case reflect.Slice:
		list := map[string]any{"type": "array", "items": s.value(t.Elem(), at)}
		if at == "flows" || at == "hosts" {
			list["minItems"], list["uniqueItems"] = 1, true
		}
		return list
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return map[string]any{"type": "object"}
		}
		return map[string]any{"type": "object", "additionalProperties": s.value(t.Elem(), at)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		if at == "schema_version" {
			return map[string]any{"const": 2}
		}
		return map[string]any{"type": "integer"}
	}
	text := map[string]any{"type": "string"}
	if set := closedSet(at); set != nil {
		text["enum"] = set
	}
	if pattern := map[string]string{"name": validName.String(), "params.name": validParam.String(), "env.name": validVariable.String()}[at]; pattern != "" {
		text["pattern"] = pattern
	}
	return text
}

// injectRules returns the rules for the members of an entry of inject in each place.
func injectRules() []any {
	var rules []any
	for _, place := range slices.Sorted(maps.Keys(injectMembers)) {
		takes := injectMembers[place]
		then := map[string]any{}
		needed := []string{}
		refused := map[string]any{}
		for _, m := range append((Inject{}).templates(), memberText{"name", ""}, memberText{"prefix", ""}) {
			required, known := takes[m.member]
			if required {
				needed = append(needed, m.member)
			}
			if !known {
				refused[m.member] = false
			}
		}
		then["required"], then["properties"] = needed, refused
		rules = append(rules, map[string]any{
			"if": map[string]any{"properties": map[string]any{"in": map[string]any{"const": place}}, "required": []string{"in"}}, "then": then,
		})
	}
	return rules
}

// fieldComments returns the comment of each field in the source files.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	comments := make(map[string]string)
	for _, name := range []string{"definition.go", "oauth.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			of, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, f := range of.Fields.List {
				for _, field := range f.Names {
					comments[spec.Name.Name+"."+field.Name] = strings.TrimSpace(strings.ReplaceAll(f.Comment.Text(), "\n", " "))
				}
			}
			return false
		})
	}
	return comments
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestPublishedSchemaValidates uses an independent validator. It must accept every
// bundled file and the examples in the documentation, and refuse invalid files.
func TestPublishedSchemaValidates(t *testing.T) {
	compiled := compiledSchema(t)
	validate := func(text []byte) error {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return compiled.Validate(document)
	}
	files, err := fs.Glob(bundled, "bundled/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := bundled.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := schemaVersion(text); err != nil || v != 2 {
			continue
		}
		if err := validate(text); err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
	for i, text := range documented(t) {
		if err := validate(text); err != nil {
			t.Errorf("example %d of docs/providers.md: %v", i, err)
		}
		if _, err := Parse(text); err != nil {
			t.Errorf("example %d of docs/providers.md: %v", i, err)
		}
	}
	for _, bad := range []string{
		`{"schema_version":1,"name":"a","flows":["api_key"],"hosts":["a.com"]}`,
		`{"schema_version":2,"name":"A","flows":["api_key"],"hosts":["a.com"]}`,
		`{"schema_version":2,"name":"a","flows":["magic"],"hosts":["a.com"]}`,
		`{"schema_version":2,"name":"a","flows":["api_key"]}`,
		`{"schema_version":2,"name":"a","flows":["api_key"],"hosts":[]}`,
		`{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"hots":[]}`,
		`{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"inject":[{"in":"header","name":"A"}]}`,
		`{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"inject":[{"in":"query","name":"A","value":"x","prefix":"/"}]}`,
		`{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"env":[{"name":"A"}]}`,
		`{"schema_version":2,"name":"a","flows":["pkce"],"hosts":["a.com"],"oauth":{"token_auth":"magic"}}`,
	} {
		if validate([]byte(bad)) == nil {
			t.Errorf("the schema accepts %s", bad)
		}
		if _, err := Parse([]byte(bad)); err == nil && !strings.Contains(bad, `"schema_version":1`) {
			t.Errorf("Parse accepts %s", bad)
		}
	}
}

// documented returns the complete definitions in docs/providers.md.
func documented(t *testing.T) [][]byte {
	t.Helper()
	text, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, block := range strings.Split(string(text), "```json\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if strings.Contains(block, `"schema_version"`) {
			all = append(all, []byte(block))
		}
	}
	if len(all) == 0 {
		t.Error("docs/providers.md has no example")
	}
	return all
}
