package providers

import (
	"fmt"
	"regexp"
	"slices"
)

// reserved names mean something of their own in templates.
var reserved = append([]string{nameAccessToken, "refresh_token", nameClientID, "client_secret", nameBaseURL, nameToken, FromToken, FromCallback}, markNames...)

// IsReserved reports whether templates give name a meaning of its own, so that no
// param can have it.
func IsReserved(name string) bool { return slices.Contains(reserved, name) }

// maxPattern bounds an expression, in bytes. Matching takes time that grows with
// the expression and the value, never more: Go's do not backtrack.
const maxPattern = 512

func (d *Definition) checkParams() error {
	for i := range d.Params {
		if err := d.checkParam(fmt.Sprintf("params[%d].", i), i); err != nil {
			return err
		}
	}
	return nil
}

func (d *Definition) checkParam(at string, i int) error {
	p := &d.Params[i]
	switch {
	case !validParam.MatchString(p.Name):
		return &FieldError{at + "name", "not a name", "use lower-case letters, digits, underscores"}
	case IsReserved(p.Name):
		return &FieldError{at + "name", p.Name + " has a meaning of its own", "choose another name"}
	case slices.IndexFunc(d.Params, func(o Param) bool { return o.Name == p.Name }) < i:
		return &FieldError{at + "name", fmt.Sprintf("%q is there twice", p.Name), ""}
	case p.Secret && p.Default != "":
		return &FieldError{at + "default", "a secret in the definition would be everybody's", "leave it out"}
	case p.asked() && (p.Path != "" || p.Match != ""):
		return &FieldError{at + "from", "missing", "path and match say where in it the value is"}
	}
	if err := checkPattern(at+"pattern", p.Pattern); err != nil {
		return err
	}
	if err := checkPattern(at+"match", p.Match); err != nil {
		return err
	}
	if p.Match != "" && regexp.MustCompile(p.Match).NumSubexp() == 0 {
		return &FieldError{at + "match", "no group says which part is the value", "as in -([a-z0-9]+)$"}
	}
	if p.Default != "" && d.CheckValue(p.Name, p.Default) != nil {
		return &FieldError{at + "default", "it does not fit the pattern", ""}
	}
	return d.checkSource(at, i)
}

func checkPattern(field, pattern string) error {
	if len(pattern) > maxPattern {
		return &FieldError{field, fmt.Sprintf("longer than %d bytes", maxPattern), ""}
	}
	// On its own: what is put around it must not close a bracket of its own.
	if _, err := regexp.Compile(pattern); err != nil {
		return &FieldError{field, "not a regular expression", "Go's have no look-around and no back references"}
	}
	return nil
}

// checkSource holds from to what is there before: a param that is taken from a
// later one would be taken too early.
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
			return &FieldError{at + "from", "no flow of this service has a " + p.From, ""}
		}
		return nil
	}
	if p.From == nameBaseURL && d.namesBaseURL() {
		return nil
	}
	if slices.IndexFunc(d.Params[:i], func(o Param) bool { return o.Name == p.From }) < 0 {
		return &FieldError{at + "from", fmt.Sprintf("%q is no param before this one", p.From), "token, callback, base_url, or the name of one"}
	}
	return nil
}
