package providers

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/net/http/httpguts"
)

// FieldError says which member of a definition is wrong, why, and what to do.
type FieldError struct {
	Field  string // as in oauth.scopes[1]
	Reason string
	Remedy string
}

func (e *FieldError) Error() string {
	s := e.Reason
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
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
	var d Definition
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, parseError(err)
	}
	if err := d.compile(); err != nil {
		return nil, err
	}
	return &d, nil
}

// Marshal writes the definition as a file that Parse reads.
func (d *Definition) Marshal() ([]byte, error) {
	b, err := json.Marshal(d, jsontext.WithIndent("  "), json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("write definition %s: %w", d.Name, err)
	}
	return append(b, '\n'), nil
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

var (
	validName     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	validVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// compile validates the definition and prepares what is asked of it later.
func (d *Definition) compile() error {
	switch {
	case d.SchemaVersion != 1:
		return &FieldError{"schema_version", fmt.Sprintf("%d is not a version this authsome knows", d.SchemaVersion), "1 is"}
	case !validName.MatchString(d.Name):
		return &FieldError{"name", "not a name", "use lower-case letters, digits, dots, hyphens"}
	case d.AuthType != AuthOAuth2 && d.AuthType != AuthAPIKey:
		return &FieldError{"auth_type", fmt.Sprintf("%q is unknown", d.AuthType), "oauth2 or api_key"}
	case !slices.Contains([]string{FlowPKCE, FlowDeviceCode, FlowDCRPKCE, FlowAPIKey}, d.Flow):
		return &FieldError{"flow", fmt.Sprintf("%q is unknown", d.Flow), "pkce, device_code, dcr_pkce or api_key"}
	case d.AuthType == AuthAPIKey && d.Flow != FlowAPIKey:
		return &FieldError{"flow", "an api_key service signs in by api_key", ""}
	case d.AuthType == AuthOAuth2 && d.OAuth == nil:
		return &FieldError{"oauth", "missing", "an oauth2 service needs at least its token_url"}
	case len(d.HostURL) > 0 && len(d.APIURL) > 0:
		return &FieldError{"api_url", "host_url is there too", "keep one of them"}
	}
	if d.DisplayName == "" {
		d.DisplayName = d.Name
	}
	for _, check := range []func() error{d.compileHosts, d.compileOAuth, d.checkAPIKey, d.checkExport, d.checkDocs} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *Definition) compileHosts() error {
	field := "host_url"
	if len(d.APIURL) > 0 {
		field = "api_url"
	}
	hosts := d.HostPatterns()
	for i, s := range hosts {
		if s == "{base_url}" {
			if d.OAuth == nil || d.OAuth.BaseURL == "" {
				continue // the connection's own address stands for it
			}
			s = d.OAuth.BaseURL
		}
		p, err := ParsePattern(s)
		if err != nil {
			name := field
			if len(hosts) > 1 {
				name = fmt.Sprintf("%s[%d]", field, i)
			}
			return &FieldError{Field: name, Reason: fmt.Sprintf("%q: %v", s, err)}
		}
		d.patterns = append(d.patterns, p)
	}
	return nil
}

func (d *Definition) checkAPIKey() error {
	k := d.APIKey
	if k == nil {
		return nil
	}
	if k.HeaderName != "" && !httpguts.ValidHeaderFieldName(k.HeaderName) {
		return &FieldError{"api_key.header_name", "not a header name", ""}
	}
	switch strings.ToLower(k.HeaderName) {
	case "host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "proxy-authorization":
		return &FieldError{"api_key.header_name", k.HeaderName + " belongs to the connection and carries no key", ""}
	}
	if k.HeaderPrefix != nil && !httpguts.ValidHeaderFieldValue(*k.HeaderPrefix) {
		return &FieldError{"api_key.header_prefix", "not a header value", ""}
	}
	if _, err := regexp.Compile(k.KeyPattern); err != nil {
		return &FieldError{"api_key.key_pattern", "not a regular expression", ""}
	}
	if k.EnvVar != "" && !validVariable.MatchString(k.EnvVar) {
		return &FieldError{"api_key.env_var", "not the name of a variable", ""}
	}
	return nil
}

func (d *Definition) checkExport() error {
	if d.Export == nil {
		return nil
	}
	for field, names := range d.Export.Env {
		for _, name := range names {
			if !validVariable.MatchString(name) {
				return &FieldError{"export.env." + field, "not the name of a variable", ""}
			}
		}
	}
	for name := range d.Export.Flat {
		if !validVariable.MatchString(name) {
			return &FieldError{"export." + name, "not the name of a variable", ""}
		}
	}
	return nil
}

func (d *Definition) checkDocs() error {
	link := d.DocsLink()
	if link == "" {
		return nil
	}
	if u, err := url.Parse(link); err != nil || u.Scheme != "https" || u.Host == "" {
		return &FieldError{"docs", "not an https link", ""}
	}
	return nil
}

// checkEndpoint holds an OAuth endpoint to https; http is for development on
// loopback.
func checkEndpoint(field, s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return nil, &FieldError{field, "not a URL", ""}
	}
	loopback := u.Hostname() == "localhost"
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		loopback = ip.IsLoopback()
	}
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback):
		return nil, &FieldError{field, "secrets travel over https only", ""}
	case u.User != nil || u.Fragment != "":
		return nil, &FieldError{field, "a user name or a fragment does not belong here", ""}
	}
	return u, nil
}
