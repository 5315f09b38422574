// Package draft writes drafts of definitions: an empty one, or one with the facts of an
// OpenAPI document.
//
// The package does not install definitions. Its invariant: a draft marks what is
// missing, with TODO in an empty draft and with the list x_todo in one from a document.
package draft

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/providers"
)

// schemaURL is the address of the published schema, for editors.
const schemaURL = "https://raw.githubusercontent.com/authsome/authsome/main/docs/provider.schema.json"

//go:embed draft.json
var emptyDraft string

// New returns a definition to fill in. Members that begin with x_ are comments. Values
// to replace begin with TODO. The draft is not valid until its host and links are
// replaced.
func New(name string) ([]byte, error) {
	if err := providers.ValidateName(name); err != nil {
		return nil, err
	}
	return []byte(strings.NewReplacer("$NAME", name, "$PREFIX", variablePrefix(name)).Replace(emptyDraft)), nil
}

// variablePrefix converts the name of a provider to the start of a variable's name.
func variablePrefix(name string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
}

// drafted is a definition with a list of what its author has to do.
type drafted struct {
	Todo []string `json:"x_todo,omitzero"`
	providers.Definition
}

// todo adds an entry to the list, once.
func (d *drafted) todo(text string) {
	if !slices.Contains(d.Todo, text) {
		d.Todo = append(d.Todo, text)
	}
}

// write returns the draft as a file. If the definition is not valid, the list has the
// reason.
func (d *drafted) write() ([]byte, error) {
	if _, err := d.marshal(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(&d.Definition)
	if err != nil {
		return nil, fmt.Errorf("write draft: %w", err)
	}
	_, err = providers.Parse(text)
	for _, fault := range providers.Faults(err) {
		d.Todo = append(d.Todo, fault.Error())
	}
	return d.marshal()
}

func (d *drafted) marshal() ([]byte, error) {
	text, err := json.Marshal(d, jsontext.WithIndent("  "), jsontext.EscapeForHTML(false))
	if err != nil {
		return nil, fmt.Errorf("write draft: %w", err)
	}
	return append(text, '\n'), nil
}
