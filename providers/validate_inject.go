package providers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

func (d *Definition) checkInject(f *faults) {
	slots := make(map[string]bool)
	carries := len(d.Inject) == 0
	for i, in := range d.Inject {
		at := fmt.Sprintf("inject[%d].", i)
		d.checkInjectMembers(f, at, in)
		slot := in.slot()
		if slots[slot] {
			f.add(strings.TrimSuffix(at, "."), "an earlier entry already uses this place", "")
		}
		slots[slot] = true
		for _, t := range in.templates() {
			f.addError(d.checkNames(at+t.member, t.text, nameCredential))
			for _, name := range names(t.text) {
				f.addError(d.checkFilled(at+t.member, name))
				carries = carries || !in.IfAbsent && d.secret(name)
				if in.IfAbsent && d.secret(name) {
					f.add(at+"if_absent", "a secret must always replace what the client sends", "remove it")
				}
			}
		}
	}
	if !carries && !f.about("inject") {
		f.add("inject", "no entry contains a secret", "use a param with \"secret\": true in a value, for example {api_key}")
	}
}

// checkFilled checks that every flow provides the name that an injection uses.
func (d *Definition) checkFilled(field, name string) error {
	if !d.HasFlow(FlowAPIKey) || len(d.Flows) == 1 {
		return nil
	}
	p := d.Param(name)
	switch {
	case name == nameAccessToken, name == nameClientID, p != nil && (p.From == FromToken || p.From == FromCallback):
		return &FieldError{field, "the flow api_key does not provide {" + name + "}", "write a separate definition for each flow"}
	case name == nameAPIKey:
		return &FieldError{field, "only the flow api_key provides {" + name + "}", "write a separate definition for each flow"}
	}
	return nil
}

// slot identifies the place on the request that an entry sets.
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

// memberText is a member of a definition with its value.
type memberText struct{ member, text string }

func (in Inject) templates() []memberText {
	return []memberText{
		{"value", in.Value}, {"username", in.Username}, {"password", in.Password},
		{"access_key", in.AccessKey}, {"secret_key", in.SecretKey}, {"session_token", in.SessionToken},
	}
}

// injectMembers lists the members of an entry for each place, and whether they are
// required.
var injectMembers = map[string]map[string]bool{
	InHeader: {"name": true, "value": true},
	InQuery:  {"name": true, "value": true},
	InBasic:  {"username": false, "password": false},
	InPath:   {"prefix": true, "value": true},
	InSigV4:  {"access_key": true, "secret_key": true, "session_token": false},
}

func (d *Definition) checkInjectMembers(f *faults, at string, in Inject) {
	if err := oneOf(at+"in", in.In); err != nil {
		f.addError(err)
		return
	}
	takes := injectMembers[in.In]
	for _, m := range append(in.templates(), memberText{"name", in.Name}, memberText{"prefix", in.Prefix}) {
		needed, known := takes[m.member]
		if m.text != "" && !known {
			f.add(at+m.member, "a "+in.In+" entry cannot have this member", "use "+strings.Join(slices.Sorted(maps.Keys(takes)), ", "))
		}
		if m.text == "" && needed {
			f.add(at+m.member, "missing", "")
		}
	}
	if in.IfAbsent && in.In != InHeader && in.In != InQuery {
		f.add(at+"if_absent", "works only for header and query", "remove it")
	}
	switch in.In {
	case InHeader:
		if member, reason := checkHeader(in.Name, in.Value); reason != "" {
			f.add(at+member, reason, "")
		}
	case InBasic:
		if in.Username == "" && in.Password == "" {
			f.add(at+"username", "missing", "set username or password")
		}
		if strings.Contains(fillWithLetter(in.Username), ":") {
			f.add(at+"username", "a user name cannot contain a colon (RFC 7617 section 2)", "")
		}
	case InPath:
		if !strings.HasPrefix(in.Prefix, "/") || strings.ContainsAny(in.Prefix, "?#%\\{}") || cleanPath(in.Prefix) != strings.TrimSuffix(in.Prefix, "/") && in.Prefix != "/" {
			f.add(at+"prefix", "not a valid path prefix", "for example /bot")
		}
		if names(in.Value) == nil {
			f.add(at+"value", "must contain a param", "for example {api_key}")
		}
	}
}

// checkHeader returns which of "name" and "value" is invalid, and why. The reason is
// empty if both are valid.
func checkHeader(name, value string) (member, reason string) {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return "name", "not a header name"
	case connectionHeader(name):
		return "name", name + " controls the connection and cannot carry a credential"
	case !httpguts.ValidHeaderFieldValue(value):
		return "value", "not a header value"
	}
	return "", ""
}

// connectionHeader reports whether a header describes the message or its connection.
// Setting it could change where the request goes or where it ends.
func connectionHeader(name string) bool {
	return slices.Contains([]string{
		"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "proxy-authorization", "keep-alive", "expect", "content-encoding",
	}, strings.ToLower(name))
}

func (d *Definition) checkRemove(f *faults) {
	for i, s := range d.Remove {
		field := fmt.Sprintf("remove[%d]", i)
		place, name, _ := strings.Cut(s, ":")
		switch {
		case place == InHeader && httpguts.ValidHeaderFieldName(name) && !connectionHeader(name):
		case place == InQuery && name != "":
		default:
			f.add(field, fmt.Sprintf("%q is not a place on a request", s), "for example header:X-Api-Key or query:key")
		}
	}
}
