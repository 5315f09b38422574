package providers

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/internal/bom"
)

// FieldError reports an invalid member of a definition.
type FieldError struct {
	Field  string // path of the member, for example oauth.scopes[1]; empty for the whole file
	Reason string
	Hint   string // what to do; may be empty
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

// maxDefinition limits the size of a definition's file, in bytes.
const maxDefinition = 256 << 10

// Parse reads and validates a definition. Its errors are [*FieldError].
func Parse(data []byte) (*Definition, error) {
	if len(data) > maxDefinition {
		return nil, &FieldError{Reason: "the file is larger than 256 KiB"}
	}
	return parseFrom(data, newFile)
}

func parseFrom(data []byte, from origin) (*Definition, error) {
	d, err := decode(data, from)
	if err != nil {
		return nil, err
	}
	if err := d.validate(); err != nil {
		return nil, err
	}
	return d, nil
}

// origin says where the text of a definition comes from.
type origin int

const (
	newFile     origin = iota // everything must be right
	homeFile                  // was installed before: what is refused now is left out, if the rest can be used
	pinnedFile                // the same, and its members were checked
	bundledFile               // the tests have validated it
)

// decode reads a definition of either schema.
func decode(data []byte, from origin) (*Definition, error) {
	data = bom.Decode(data)
	version, err := schemaVersion(data)
	if err != nil {
		return nil, parseError(err)
	}
	d := &Definition{text: data, lenient: from == homeFile || from == pinnedFile}
	switch version {
	case 0:
		return nil, &FieldError{Field: "schema_version", Reason: "must be 2"}
	case 1:
		if err := d.decode1(data); err != nil {
			return nil, err
		}
	case 2:
		if from == newFile || from == homeFile {
			if err := checkMembers(data); err != nil {
				return nil, err
			}
		}
		if err := json.Unmarshal(data, d); err != nil {
			return nil, parseError(err)
		}
	default:
		return nil, &FieldError{"schema_version", fmt.Sprintf("version %d is not supported", version), "use 2"}
	}
	return d, d.compile()
}

// schemaVersion returns the version of a file, or 0 if it has none. It stops
// reading at the version, which is usually at the start.
func schemaVersion(data []byte) (version int, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if d.PeekKind() != '{' {
		return 0, json.Unmarshal(data, new(Definition)) // for its error
	}
	for {
		if _, err := d.ReadToken(); err != nil { // the opening brace or a name
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

// compile sets defaults and prepares what later calls need.
func (d *Definition) compile() error {
	if d.DisplayName == "" {
		d.DisplayName = d.Name
	}
	if d.HasFlow(FlowAPIKey) && !slices.ContainsFunc(d.Params, func(p Param) bool { return p.Secret && p.asked() }) {
		d.Params = append(d.Params, Param{Name: nameAPIKey, Label: "API key", Secret: true})
	}
	if err := d.compileHosts(); err != nil {
		return err
	}
	if d.lenient {
		d.dropVariables()
	}
	for _, prefix := range d.Exclude {
		d.excluded = append(d.excluded, excludePath(prefix, false))
	}
	return d.compileEndpoints()
}

// hostField returns the path of a host in the file.
func (d *Definition) hostField(i int) string {
	if d.SchemaVersion == 1 {
		if len(d.Hosts) == 1 {
			return "host_url"
		}
		return fmt.Sprintf("host_url[%d]", i)
	}
	return fmt.Sprintf("hosts[%d]", i)
}

// parseError converts an error of the JSON decoder.
func parseError(err error) error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return kindError(semantic.JSONPointer, semantic.GoType, semantic.JSONKind)
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return &FieldError{Field: fieldName(syntactic.JSONPointer), Reason: "appears twice"}
		}
		return &FieldError{Field: fieldName(syntactic.JSONPointer), Reason: fmt.Sprintf("not JSON (at byte %d)", syntactic.ByteOffset)}
	}
	return &FieldError{Reason: "not a definition in JSON"}
}

// kindError reports a value of the wrong kind for a Go type.
func kindError(at jsontext.Pointer, t reflect.Type, got jsontext.Kind) error {
	name, kinds := expectedKind(t)
	reason := "must be " + name
	if kind := kindName(got); kind != "" && !slices.Contains(kinds, got) {
		reason += ", not " + kind
	}
	return &FieldError{Field: fieldName(at), Reason: reason}
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
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return ""
}

// fieldName converts a JSON pointer to the path that people write, for example
// oauth.scopes[1].
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
