package providers

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

var (
	validName     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	validParam    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	validVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

var flows = []string{FlowAPIKey, FlowPKCE, FlowDeviceCode, FlowDCRPKCE, FlowClientCredentials, FlowJWTBearer}

// validate refuses what could not work, or would not be safe.
func (d *Definition) validate() error {
	if !validName.MatchString(d.Name) {
		return &FieldError{"name", "not a name", "use lower-case letters, digits, dots, hyphens"}
	}
	for _, check := range []func() error{d.checkFlows, d.checkParams, d.checkInject, d.checkEnv, d.checkDocs} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *Definition) checkFlows() error {
	if len(d.Flows) == 0 {
		return &FieldError{"flows", "missing", "say how a credential is obtained: " + strings.Join(flows, ", ")}
	}
	for i, flow := range d.Flows {
		if !slices.Contains(flows, flow) {
			return &FieldError{fmt.Sprintf("flows[%d]", i), fmt.Sprintf("%q is unknown", flow), "one of " + strings.Join(flows, ", ")}
		}
		if flow != FlowAPIKey && d.OAuth == nil {
			return &FieldError{"oauth", "missing", flow + " needs at least its token_url"}
		}
	}
	return nil
}

func (d *Definition) checkParams() error {
	seen := make(map[string]bool)
	for i, p := range d.Params {
		field := fmt.Sprintf("params[%d].", i)
		if d.SchemaVersion == 1 {
			field = "api_key.key_"
		}
		switch {
		case !validParam.MatchString(p.Name):
			return &FieldError{field + "name", "not a name", "use lower-case letters, digits, underscores"}
		case seen[p.Name]:
			return &FieldError{field + "name", fmt.Sprintf("%q is there twice", p.Name), ""}
		}
		seen[p.Name] = true
		if _, err := regexp.Compile(p.Pattern); err != nil {
			return &FieldError{field + "pattern", "not a regular expression", ""}
		}
	}
	return nil
}

func (d *Definition) checkInject() error {
	for i, in := range d.Inject {
		field := fmt.Sprintf("inject[%d].", i)
		if in.In != InHeader {
			continue
		}
		name, value := field+"name", field+"value"
		if d.SchemaVersion == 1 {
			name, value = "api_key.header_name", "api_key.header_prefix"
		}
		switch {
		case !httpguts.ValidHeaderFieldName(in.Name):
			return &FieldError{name, "not a header name", ""}
		case connectionHeader(in.Name):
			return &FieldError{name, in.Name + " belongs to the connection and carries no credential", ""}
		case !httpguts.ValidHeaderFieldValue(in.Value):
			return &FieldError{value, "not a header value", ""}
		}
	}
	return nil
}

func connectionHeader(name string) bool {
	switch strings.ToLower(name) {
	case "host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "proxy-authorization":
		return true
	}
	return false
}

func (d *Definition) checkEnv() error {
	for i, e := range d.Env {
		field := fmt.Sprintf("env[%d].name", i)
		if d.SchemaVersion == 1 {
			field = "export"
		}
		if !validVariable.MatchString(e.Name) {
			return &FieldError{field, fmt.Sprintf("%q is not the name of a variable", e.Name), ""}
		}
	}
	return nil
}

func (d *Definition) checkDocs() error {
	for _, link := range []struct{ field, url string }{{"docs", d.Docs}, {"key_url", d.KeyURL}} {
		if link.url == "" {
			continue
		}
		if u, err := url.Parse(link.url); err != nil || u.Scheme != "https" || u.Host == "" {
			return &FieldError{link.field, "not an https link", ""}
		}
	}
	return nil
}
