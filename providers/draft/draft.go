// Package draft writes definitions to start from: an empty one, or one that an
// OpenAPI document fills in as far as it goes.
//
// It installs nothing. Its invariant: what it could not find out is on the draft's
// list of things to do, so that a draft never passes for a finished definition.
package draft

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/providers"
)

// schemaURL is where editors find the published schema.
const schemaURL = "https://raw.githubusercontent.com/authsome/authsome/main/docs/provider.schema.json"

//go:embed draft.json
var emptyDraft string

// New is a definition to fill in: comments stand in members that begin with
// x_, and what is missing is marked TODO, which no definition can have.
func New(name string) ([]byte, error) {
	if err := providers.ValidateName(name); err != nil {
		return nil, err
	}
	prefix := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
	return []byte(strings.NewReplacer("$NAME", name, "$PREFIX", prefix).Replace(emptyDraft)), nil
}

// drafted is a definition with what its reader still has to do.
type drafted struct {
	Todo []string `json:"x_todo,omitzero"`
	providers.Definition
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
	if _, err := providers.Parse(text); err != nil {
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
