package providers

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// schemaURL is where editors find the published schema.
const schemaURL = "https://raw.githubusercontent.com/authsome/authsome/main/docs/provider.schema.json"

//go:embed draft.json
var emptyDraft string

// Draft is a definition to fill in: comments stand in members that begin with
// x_, and what is missing is marked TODO, which no definition can have.
func Draft(name string) ([]byte, error) {
	if !validName.MatchString(name) {
		return nil, &FieldError{"name", "not a name", "use lower-case letters, digits, dots, hyphens"}
	}
	prefix := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
	return []byte(strings.NewReplacer("$NAME", name, "$PREFIX", prefix).Replace(emptyDraft)), nil
}

// drafted is a definition with what its reader still has to do.
type drafted struct {
	Todo []string `json:"x_todo,omitzero"`
	Definition
}

// write is the draft as a file. What keeps it from being valid is on its list.
func (d *drafted) write() ([]byte, error) {
	if _, err := d.marshal(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(&d.Definition)
	if err != nil {
		return nil, fmt.Errorf("write the draft: %w", err)
	}
	if _, err := Parse(text); err != nil {
		d.Todo = append(d.Todo, err.Error())
	}
	return d.marshal()
}

func (d *drafted) marshal() ([]byte, error) {
	text, err := json.Marshal(d, jsontext.WithIndent("  "), jsontext.EscapeForHTML(false))
	if err != nil {
		return nil, fmt.Errorf("write the draft: %w", err)
	}
	return append(text, '\n'), nil
}
