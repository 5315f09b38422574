package providers

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
)

// reserved lists the names that have a fixed meaning in templates.
var reserved = append([]string{nameAccessToken, nameCredential, "refresh_token", nameClientID, "client_secret", nameBaseURL, nameToken, FromToken, FromCallback}, markNames...)

// IsReserved reports whether name has a fixed meaning in templates, so that a param
// cannot have it.
func IsReserved(name string) bool { return slices.Contains(reserved, name) }

// maxPattern limits a regular expression, in bytes. Go's expressions do not
// backtrack, so matching takes time linear in the expression and in the value.
const maxPattern = 512

func (d *Definition) checkParams(f *faults) {
	for i := range d.Params {
		d.checkParam(f, fmt.Sprintf("params[%d].", i), i)
	}
}

func (d *Definition) checkParam(f *faults, at string, i int) {
	p := &d.Params[i]
	switch {
	case !validParam.MatchString(p.Name):
		f.add(at+"name", "invalid name", "use up to 64 lower-case letters, digits and underscores, and start with a letter")
	case IsReserved(p.Name):
		f.add(at+"name", p.Name+" is reserved", "choose another name")
	case slices.IndexFunc(d.Params, func(o Param) bool { return o.Name == p.Name }) < i:
		f.add(at+"name", fmt.Sprintf("%q is used twice", p.Name), "")
	}
	switch {
	case p.Secret && p.Default != "":
		f.add(at+"default", "a secret cannot have a default, because all users would share it", "remove it")
	case p.asked() && (p.Path != "" || p.Match != ""):
		f.add(at+"from", "missing", "path and match select a part of what from names")
	}
	f.addError(checkPattern(at+"pattern", p.Pattern))
	if err := checkPattern(at+"match", p.Match); err != nil {
		f.addError(err)
	} else if p.Match != "" && regexp.MustCompile(p.Match).NumSubexp() == 0 {
		f.add(at+"match", "the expression has no group", "put the value in a group, for example -([a-z0-9]+)$")
	}
	if p.Default != "" && d.CheckValue(p.Name, p.Default) != nil && !f.about(at+"pattern") {
		f.add(at+"default", "does not match the pattern", "")
	}
	f.addError(d.checkSource(at, i))
}

func checkPattern(field, pattern string) error {
	if len(pattern) > maxPattern {
		return &FieldError{field, fmt.Sprintf("longer than %d bytes", maxPattern), ""}
	}
	// The expression must be valid without the group put around it: a)(b is not.
	_, err := regexp.Compile(pattern)
	e, ok := errors.AsType[*syntax.Error](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return &FieldError{field, "not a regular expression", ""}
	case unsupportedSyntax.MatchString(e.Expr):
		return &FieldError{field, "the regular expression is not supported", "look-around, back references and atomic groups cannot be used"}
	}
	return &FieldError{field, fmt.Sprintf("not a regular expression: %s in %.40q", e.Code, cmp.Or(e.Expr, pattern)), ""}
}

// unsupportedSyntax matches the start of what other regular expressions have and Go's do
// not.
var unsupportedSyntax = regexp.MustCompile(`^(\(\?(<?[=!]|>|P$|\()|\\[1-9gk])`)

// checkSource checks from. A param must come after the param that it is taken from,
// because params get their values in order.
func (d *Definition) checkSource(at string, i int) error {
	p := &d.Params[i]
	switch p.From {
	case "":
		return nil
	case FromToken, FromCallback:
		if p.Path == "" {
			return &FieldError{at + "path", "missing", "name the member that has the value"}
		}
		if !slices.ContainsFunc(d.Flows, func(f string) bool { return f != FlowAPIKey }) {
			return &FieldError{at + "from", fmt.Sprintf("%q needs a flow other than api_key", p.From), ""}
		}
		return nil
	}
	if p.From == nameBaseURL && d.namesBaseURL() {
		return nil
	}
	if slices.IndexFunc(d.Params[:i], func(o Param) bool { return o.Name == p.From }) < 0 {
		return &FieldError{at + "from", fmt.Sprintf("%q is not a param before this one", p.From), "use token, callback, base_url or the name of an earlier param"}
	}
	return nil
}
