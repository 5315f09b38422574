package providers

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/internal/bom"
)

// maxDefinition limits the size of a definition's file, in bytes.
const maxDefinition = 256 << 10

// Parse reads and validates a definition that a user adds. Its errors wrap a [*FieldError]
// for each fault; see [Faults].
func Parse(data []byte) (*Definition, error) { return parseFrom(data, newFile) }

// ParseInstalled is Parse for a definition that another program or an older version has
// installed. What a new definition cannot have is left out if the rest can be used; see
// [Definition.Dropped].
func ParseInstalled(data []byte) (*Definition, error) { return parseFrom(data, homeFile) }

func parseFrom(data []byte, from origin) (*Definition, error) {
	if len(data) > maxDefinition {
		return nil, &FieldError{Reason: "the file is larger than 256 KiB"}
	}
	var f faults
	if d := decode(data, from, &f); d != nil {
		d.validate(&f)
		return d, f.err()
	}
	return nil, f.err()
}

// origin says where the text of a definition comes from.
type origin int

const (
	newFile     origin = iota // everything must be right
	homeFile                  // was installed before: what is refused now is left out, if the rest can be used
	pinnedFile                // the same, and its members were checked
	bundledFile               // the tests have validated it
)

// decodeChecked decodes a text that was validated before.
func decodeChecked(data []byte, from origin) (*Definition, error) {
	var f faults
	d := decode(data, from, &f)
	return d, f.err()
}

// decode reads a definition of either schema. It returns nil if the text cannot be read
// as one.
func decode(data []byte, from origin, f *faults) *Definition {
	foreign := from == newFile || from == homeFile
	data = bom.Decode(data)
	if foreign {
		data = plainText(data)
	}
	version, err := schemaVersion(data)
	if err != nil {
		f.addError(parseError(err))
		return nil
	}
	d := &Definition{text: data, lenient: from == homeFile || from == pinnedFile}
	switch version {
	case 0:
		f.add("schema_version", "must be 2", "")
		return nil
	case 1:
		err = d.decode1(data, f)
	case 2:
		text := data
		if foreign {
			text, err = checkMembers(data, f)
		}
		if err == nil {
			err = json.Unmarshal(text, d)
		}
	default:
		f.add("schema_version", fmt.Sprintf("version %d is not supported", version), "use 2")
		return nil
	}
	if err != nil {
		f.addError(parseError(err))
		return nil
	}
	if from == newFile && hasEmptyName(data) {
		f.add("display_name", "empty", "write the name of the service, or leave the member out")
	}
	d.compile(f)
	return d
}

// Dropped returns the parts of a definition that is not new, or of one of schema 1, that
// are left out, because a definition with them is refused.
func (d *Definition) Dropped() []*FieldError { return d.dropped }

// compile sets defaults and prepares what later calls need.
func (d *Definition) compile(f *faults) {
	if isBlank(d.DisplayName) {
		d.DisplayName = d.Name
	}
	if d.HasFlow(FlowAPIKey) && !slices.ContainsFunc(d.Params, func(p Param) bool { return p.Secret && p.asked() }) {
		d.Params = append(d.Params, Param{Name: nameAPIKey, Label: "API key", Secret: true})
	}
	d.compileHosts(f)
	if d.lenient || d.SchemaVersion == 1 {
		d.dropVariables()
	}
	for _, prefix := range d.Exclude {
		d.excluded = append(d.excluded, excludePath(prefix, false))
	}
	d.compileEndpoints(f)
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
	if field, ok := errors.AsType[*FieldError](err); ok {
		return field
	}
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
