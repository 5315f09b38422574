package providers

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// FieldError says which member of a definition is wrong, why, and what to do.
type FieldError struct {
	Field  string // as in oauth.scopes[1]
	Reason string
	Hint   string
}

func (e *FieldError) Error() string {
	s := e.Reason
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// maxDefinition bounds a definition's file.
const maxDefinition = 256 << 10

// Parse reads and validates a definition. Its errors are [*FieldError].
func Parse(data []byte) (*Definition, error) {
	if len(data) > maxDefinition {
		return nil, &FieldError{Reason: "larger than 256 KiB"}
	}
	d, err := decode(data, true)
	if err != nil {
		return nil, err
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	return d, nil
}

// decode reads a definition into its one form. What is strict in it besides the
// kinds of values is left out for files that are known to be good.
func decode(data []byte, strict bool) (*Definition, error) {
	version, err := schemaVersion(data)
	if err != nil {
		return nil, parseError(err)
	}
	d := &Definition{text: data}
	switch version {
	case 1:
		if err := d.decode1(data); err != nil {
			return nil, err
		}
	case 2:
		if strict {
			if err := checkMembers(data); err != nil {
				return nil, err
			}
		}
		if err := json.Unmarshal(data, d); err != nil {
			return nil, parseError(err)
		}
	default:
		return nil, &FieldError{"schema_version", fmt.Sprintf("%d is not a version this authsome knows", version), "2 is the present one"}
	}
	return d, d.compile()
}

// schemaVersion reads a file up to its version, which stands at its start.
func schemaVersion(data []byte) (version int, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if d.PeekKind() != '{' {
		return 0, json.Unmarshal(data, new(Definition)) // says why
	}
	for {
		if _, err := d.ReadToken(); err != nil { // the brace, and names
			return 0, err
		}
		switch name := d.StackPointer().LastToken(); {
		case name == "schema_version":
			return version, json.UnmarshalDecode(d, &version)
		case d.PeekKind() == '}':
			return 0, nil
		case name != "":
			if err := d.SkipValue(); err != nil {
				return 0, err
			}
		}
		if d.PeekKind() == '}' {
			return 0, nil
		}
	}
}

// compile fills in what is absent and prepares what is asked of it later.
func (d *Definition) compile() error {
	if d.DisplayName == "" {
		d.DisplayName = d.Name
	}
	if d.HasFlow(FlowAPIKey) && !slices.ContainsFunc(d.Params, func(p Param) bool { return p.Secret && p.asked() }) {
		d.Params = append(d.Params, Param{Name: nameAPIKey, Label: "API key", Secret: true})
	}
	d.hosts = make([]host, 0, len(d.Hosts))
	for i, text := range d.Hosts {
		field := d.hostField(i)
		h, err := d.compileHost(field, text)
		if err != nil {
			return &FieldError{Field: field, Reason: fmt.Sprintf("%q: %v", text, err)}
		}
		d.hosts = append(d.hosts, h)
	}
	return d.compileEndpoints()
}

// hostField is how an entry of hosts is called in the file.
func (d *Definition) hostField(i int) string {
	if d.SchemaVersion == 1 {
		if len(d.Hosts) == 1 {
			return "host_url"
		}
		return fmt.Sprintf("host_url[%d]", i)
	}
	return fmt.Sprintf("hosts[%d]", i)
}

func parseError(err error) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return &FieldError{Field: fieldName(semantic.JSONPointer), Reason: "a " + kindName(semantic.JSONKind) + " does not belong here"}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return &FieldError{Field: fieldName(syntactic.JSONPointer), Reason: "it is there twice"}
		}
		return &FieldError{Field: fieldName(syntactic.JSONPointer), Reason: fmt.Sprintf("not JSON (at byte %d)", syntactic.ByteOffset)}
	}
	return &FieldError{Reason: "not a definition in JSON"}
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '"':
		return "text"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "list"
	default:
		return "value of this kind"
	}
}

// fieldName turns a JSON pointer into the way people write a member's place.
func fieldName(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			b.WriteString("[" + token + "]")
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
	}
	return b.String()
}
