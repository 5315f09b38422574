package providers

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/net/http/httpguts"
)

var (
	validName     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	validName1    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) // in schema 1
	validParam    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	validVariable = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_]{0,127}|npm_config_//[a-z0-9.-]{1,100}/:_authToken)$`)
)

// ValidateName checks the name of a provider. Its errors are [*FieldError].
func ValidateName(name string) error {
	if !validName.MatchString(name) {
		return &FieldError{"name", "invalid name", "use up to 64 lower-case letters, digits, dots, hyphens and underscores, and start with a letter or a digit"}
	}
	return nil
}

// validate reports what cannot work or is not safe. A definition of schema 1 is checked
// only for what that schema can express.
func (d *Definition) validate(f *faults) {
	checks := []func(*faults){
		d.checkName, d.checkFlows, d.checkParams, d.checkHosts, d.checkPaths, d.checkOAuthPaths, d.checkInject, d.checkRemove, d.checkOAuth, d.checkOAuthByFlow, d.checkEndpoints, d.checkEnv, d.checkVerify, d.checkScrub, d.checkAbout,
	}
	if d.SchemaVersion == 1 {
		checks = []func(*faults){d.validate1}
	}
	for _, check := range append(checks, d.checkReserved, d.checkText) {
		check(f)
	}
}

func (d *Definition) checkName(f *faults) { f.addError(ValidateName(d.Name)) }

func (d *Definition) checkFlows(f *faults) {
	if len(d.Flows) == 0 {
		f.add("flows", "missing", "list at least one of "+strings.Join(closedSet("flows"), ", "))
	}
	for i, flow := range d.Flows {
		field := fmt.Sprintf("flows[%d]", i)
		if err := oneOf(field, flow); err != nil {
			f.addError(err)
			continue
		}
		if slices.Index(d.Flows, flow) < i {
			f.add(field, fmt.Sprintf("%q is listed twice", flow), "")
		}
		if flow != FlowAPIKey && d.OAuth == nil && d.OAuthByFlow[flow] == nil {
			f.add("oauth", "missing", flow+" needs at least oauth.token_url or oauth.discovery")
		}
	}
}

// required reports the members that are missing. Prefix is the path of the object that
// has the members.
func (f *faults) required(prefix string, members map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if members[name] == "" {
			f.add(prefix+name, "missing", "")
		}
	}
}

// checkNames checks that each name in a template has a value at run time. More lists
// names that are valid only in this member.
func (d *Definition) checkNames(field, template string, more ...string) error {
	for _, name := range names(template) {
		oauth := slices.ContainsFunc(d.Flows, func(f string) bool { return f != FlowAPIKey })
		switch {
		case d.Param(name) != nil, name == nameBaseURL, slices.Contains(more, name):
		case oauth && (name == nameAccessToken || name == nameClientID):
		default:
			known := append([]string{nameBaseURL}, more...)
			for _, p := range d.Params {
				known = append(known, p.Name)
			}
			hint := "add a param with that name"
			if near := nearest(name, known); near != "" {
				hint = "did you mean {" + near + "}?"
			}
			return &FieldError{field, "{" + name + "} is not defined", hint}
		}
	}
	return nil
}

func (d *Definition) checkHosts(f *faults) {
	if len(d.Hosts) == 0 && !f.about("hosts") {
		f.add("hosts", "missing", "list the hosts that may get the credential")
	}
	for i, h := range d.hosts {
		switch {
		case strings.Contains(h.text, "://"):
			f.add(h.field, "a host cannot have a scheme", "write only the host, and its path in paths")
		case strings.HasPrefix(h.text, "regex:"):
			f.add(h.field, "regular expressions are supported only in schema 1", "use *.example.com or {param}.example.com")
		case slices.Index(d.Hosts, h.text) < i:
			f.add(h.field, fmt.Sprintf("%q is listed twice", h.text), "")
		case slices.ContainsFunc(h.names, d.secret), slices.Contains(h.names, nameClientID):
			f.add(h.field, "a host cannot contain a secret, because host names are sent unencrypted", "")
		}
		f.addError(d.checkNames(h.field, h.text))
	}
	if d.BaseURL != "" {
		if p, err := parsePattern(d.BaseURL); err != nil || p.kind != Exact {
			f.add("base_url", "not the https URL of a host", "for example https://example.com")
		}
	}
}

func (d *Definition) checkPaths(f *faults) {
	for _, list := range []struct {
		name  string
		paths []string
	}{{"paths", d.Paths}, {"exclude_paths", d.Exclude}} {
		for i, p := range list.paths {
			field := fmt.Sprintf("%s[%d]", list.name, i)
			switch {
			case !strings.HasPrefix(p, "/"):
				f.add(field, "a path must begin with /", "")
			case p == "/":
				f.add(field, "/ matches every path", "remove it")
			case strings.ContainsAny(p, "?#%\\*{} ") || cleanPath(p) != strings.TrimSuffix(p, "/"):
				f.add(field, "the path has dot segments, doubled slashes, escapes, wildcards, braces, spaces or a query", "write the decoded prefix, for example /v1")
			}
		}
	}
	for i, m := range d.Methods {
		if !httpguts.ValidHeaderFieldName(m) || m != strings.ToUpper(m) || m == "CONNECT" || m == "TRACE" {
			f.add(fmt.Sprintf("methods[%d]", i), fmt.Sprintf("%q is not a supported method", m), "use a method in capitals, for example GET")
		}
	}
}

// checkVerify checks the member verify. Without a host that was dropped, the member can
// be of no use; then it is dropped too.
func (d *Definition) checkVerify(f *faults) {
	v := d.Verify
	if v == nil {
		return
	}
	f.addError(optionalOneOf("verify.method", v.Method))
	if v.Body != "" && !jsontext.Value(v.Body).IsValid() {
		f.add("verify.body", "not JSON", "")
	}
	err := d.checkVerifyURL(v)
	switch {
	case err == nil, d.refused(f, v.URL):
	case len(d.dropped) > 0:
		d.Verify = nil
		d.drop("verify.url", "%s", err.(*FieldError).Reason)
	default:
		f.addError(err)
	}
}

func (d *Definition) checkVerifyURL(v *Verify) error {
	if err := d.checkNames("verify.url", v.URL); err != nil {
		return err
	}
	if !isURL(v.URL) {
		return &FieldError{"verify.url", "not a URL", "begin it with https://"}
	}
	if strings.HasPrefix(v.URL, "{base_url}") {
		if !d.namesBaseURL() {
			return &FieldError{"verify.url", "{base_url} is not in hosts", ""}
		}
		return nil
	}
	authority, path, _ := strings.Cut(strings.TrimPrefix(v.URL, "https://"), "/")
	path, _, _ = strings.Cut("/"+path, "?")
	for _, h := range d.hosts {
		own, ok := strings.CutPrefix(h.text, "*.")
		if h.text != authority && !(ok && strings.HasSuffix(authority, "."+own)) {
			continue
		}
		if p := d.withPaths(h.pattern); names(path) == nil {
			if _, under := p.MatchPath(path); !under || d.Excludes(path) {
				return &FieldError{"verify.url", "its path does not get the credential", "add the path to paths or use another URL"}
			}
		}
		return nil
	}
	return &FieldError{"verify.url", "its host is not in hosts", "write the host exactly as in hosts"}
}

func (d *Definition) checkScrub(f *faults) {
	switch {
	case d.Scrub != "" && d.ScrubReason == "":
		f.add("scrub_reason", "missing", "say which response clients need a secret from, and why")
	case d.Scrub == "" && d.ScrubReason != "" && !f.about("scrub"):
		f.add("scrub_reason", "has no effect without \"scrub\": \"off\"", "remove it")
	}
	f.addError(optionalOneOf("scrub", d.Scrub))
}

// checkAbout checks the members that are for people.
func (d *Definition) checkAbout(f *faults) {
	f.addError(optionalOneOf("category", d.Category))
	if m := d.Metadata; m != nil {
		for _, date := range []memberText{{"checked", m.Checked}, {"app_checked", m.AppChecked}} {
			if _, err := time.Parse(time.DateOnly, date.text); err != nil && date.text != "" {
				f.add("metadata."+date.member, "not a date", "for example 2026-11-24")
			}
		}
	}
	if d.TokenProvider != "" && (ValidateName(d.TokenProvider) != nil || d.TokenProvider == d.Name) {
		f.add("token_provider", "not the name of another provider", "")
	}
	if d.SelfHosted != "" && (ValidateName(d.SelfHosted) != nil || d.SelfHosted == d.Name || d.UsesBaseURL()) {
		f.add("self_hosted", "not the name of another provider, for a service without {base_url}", "")
	}
	f.addError(d.checkLink("docs", d.Docs))
	f.addError(d.checkLink("key_url", d.KeyURL))
}

// checkLink checks the address of a page, which may be empty.
func (d *Definition) checkLink(field, text string) error {
	if text == "" {
		return nil
	}
	if err := d.checkNames(field, text); err != nil {
		return err
	}
	if rest, ok := strings.CutPrefix(text, "{base_url}"); ok {
		text = "https://example.com" + rest
	}
	if u, err := url.Parse(fillWithLetter(text)); err != nil || u.Scheme != "https" || u.Host == "" {
		return &FieldError{field, "not an https link", "begin it with https://"}
	}
	return nil
}
