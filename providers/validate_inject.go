package providers

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

func (d *Definition) checkInject() error {
	slots := make(map[string]bool)
	carries := len(d.Inject) == 0
	for i, in := range d.Inject {
		at := fmt.Sprintf("inject[%d].", i)
		if err := d.checkInjectMembers(at, in); err != nil {
			return err
		}
		slot := in.slot()
		if slots[slot] {
			return &FieldError{strings.TrimSuffix(at, "."), "two entries for one place", ""}
		}
		slots[slot] = true
		for _, t := range in.templates() {
			if err := d.checkNames(at+t.member, t.text); err != nil {
				return err
			}
			for _, name := range names(t.text) {
				if err := d.checkFilled(at+t.member, name); err != nil {
					return err
				}
				carries = carries || !in.IfAbsent && d.secret(name)
				if in.IfAbsent && d.secret(name) {
					return &FieldError{at + "if_absent", "a secret takes the place of what the client sends", "leave it out"}
				}
			}
		}
	}
	if !carries {
		return &FieldError{"inject", "no entry carries a secret", "put one into the value, as {api_key}, and mark its param as secret"}
	}
	return nil
}

// checkFilled holds an injection to what every flow yields.
func (d *Definition) checkFilled(field, name string) error {
	if !d.HasFlow(FlowAPIKey) || len(d.Flows) == 1 {
		return nil
	}
	p := d.Param(name)
	switch {
	case name == nameAccessToken, name == nameClientID, p != nil && (p.From == FromToken || p.From == FromCallback):
		return &FieldError{field, "the flow api_key yields no {" + name + "}", "make it a definition of its own"}
	case name == nameAPIKey:
		return &FieldError{field, "only the flow api_key yields {" + name + "}", "make it a definition of its own"}
	}
	return nil
}

// slot is the place of the request that an entry fills.
func (in Inject) slot() string {
	switch in.In {
	case InHeader:
		return "header " + strings.ToLower(in.Name)
	case InBasic, InSigV4:
		return "header authorization"
	case InPath:
		return "path " + in.Prefix
	}
	return in.In + " " + in.Name
}

type memberText struct{ member, text string }

func (in Inject) templates() []memberText {
	return []memberText{
		{"value", in.Value}, {"username", in.Username}, {"password", in.Password},
		{"access_key", in.AccessKey}, {"secret_key", in.SecretKey}, {"session_token", in.SessionToken},
	}
}

// injectMembers are what an entry has in each place, and whether it must.
var injectMembers = map[string]map[string]bool{
	InHeader: {"name": true, "value": true},
	InQuery:  {"name": true, "value": true},
	InBasic:  {"username": false, "password": false},
	InPath:   {"prefix": true, "value": true},
	InSigV4:  {"access_key": true, "secret_key": true, "session_token": false},
}

func (d *Definition) checkInjectMembers(at string, in Inject) error {
	if err := oneOf(at+"in", in.In); err != nil {
		return err
	}
	takes := injectMembers[in.In]
	for _, m := range append(in.templates(), memberText{"name", in.Name}, memberText{"prefix", in.Prefix}) {
		needed, known := takes[m.member]
		if m.text != "" && !known {
			return &FieldError{at + m.member, in.In + " takes none", "it takes " + strings.Join(sortedKeys(takes), ", ")}
		}
		if m.text == "" && needed {
			return &FieldError{at + m.member, "missing", ""}
		}
	}
	if in.IfAbsent && in.In != InHeader && in.In != InQuery {
		return &FieldError{at + "if_absent", "only a header or a query parameter can be absent", ""}
	}
	switch in.In {
	case InHeader:
		return checkHeader(at, in.Name, in.Value)
	case InBasic:
		if in.Username == "" && in.Password == "" {
			return &FieldError{at + "username", "missing", "a user name or a password holds the credential"}
		}
		if strings.Contains(fillLiterally(in.Username), ":") {
			return &FieldError{at + "username", "a colon ends the user name", ""}
		}
	case InPath:
		switch {
		case !strings.HasPrefix(in.Prefix, "/") || strings.ContainsAny(in.Prefix, "?#%\\{}") || cleanPath(in.Prefix) != strings.TrimSuffix(in.Prefix, "/") && in.Prefix != "/":
			return &FieldError{at + "prefix", "not the start of a path", "as /bot"}
		case names(in.Value) == nil:
			return &FieldError{at + "value", "no param is in it", ""}
		}
	}
	return nil
}

func checkHeader(at, name, value string) error {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return &FieldError{at + "name", "not a header name", ""}
	case connectionHeader(name):
		return &FieldError{at + "name", name + " belongs to the connection and carries no credential", ""}
	case !httpguts.ValidHeaderFieldValue(value):
		return &FieldError{at + "value", "not a header value", ""}
	}
	return nil
}

// connectionHeader reports whether a header is about the message or its
// connection: what is put there would change where the request ends.
func connectionHeader(name string) bool {
	return slices.Contains([]string{
		"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "proxy-authorization", "keep-alive", "expect", "content-encoding",
	}, strings.ToLower(name))
}

func (d *Definition) checkRemove() error {
	for i, s := range d.Remove {
		field := fmt.Sprintf("remove[%d]", i)
		place, name, _ := strings.Cut(s, ":")
		switch {
		case place == InHeader && httpguts.ValidHeaderFieldName(name) && !connectionHeader(name):
		case place == InQuery && name != "":
		default:
			return &FieldError{field, fmt.Sprintf("%q is no place of a request", s), "as header:X-Api-Key or query:key"}
		}
	}
	return nil
}
