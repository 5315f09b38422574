package providers

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

func (d *Definition) checkOAuth() error {
	o := d.OAuth
	if o == nil {
		return nil
	}
	for _, check := range []func(*OAuth) error{d.checkIssuer, d.checkOAuthFlows, d.checkClientAuth, d.checkOAuthParams, d.checkRevocation, d.checkRedirect, d.checkAppSteps, d.checkJWT} {
		if err := check(o); err != nil {
			return err
		}
	}
	if o.Lifetime != "" {
		if life, err := time.ParseDuration(o.Lifetime); err != nil || life <= 0 {
			return &FieldError{"oauth.lifetime", "not a duration", "for example 1h or 720h"}
		}
	}
	for i, s := range o.Scopes {
		if s == "" || strings.ContainsAny(s, " \t\r\n\"\\") {
			return &FieldError{fmt.Sprintf("oauth.scopes[%d]", i), "not a scope", "write one scope per entry"}
		}
	}
	return nil
}

func (d *Definition) checkIssuer(o *OAuth) error {
	for _, u := range []struct{ field, text string }{{"oauth.issuer", o.Issuer}, {"oauth.resource", o.Resource}} {
		if u.text == "" {
			continue
		}
		if err := d.checkNames(u.field, u.text); err != nil {
			return err
		}
		needed := o.Discovery == "issuer" && u.text == o.Issuer || o.Discovery == "resource" && u.text == o.Resource
		if needed && strings.Contains(u.text, "://") {
			if _, err := d.compileEndpoint(u.field, u.text); err != nil {
				return err
			}
		}
	}
	switch o.Discovery {
	case "":
	case "issuer":
		return required("oauth.", map[string]string{"issuer": o.Issuer})
	case "resource":
		return required("oauth.", map[string]string{"resource": o.Resource})
	default:
		return oneOf("oauth.discovery", o.Discovery)
	}
	return nil
}

// checkOAuthFlows checks the endpoints, and that each flow has the endpoints that it
// needs, unless they are discovered.
func (d *Definition) checkOAuthFlows(o *OAuth) error {
	for _, e := range d.endpoints {
		more := []string{}
		if e.field == "oauth.revocation.url" {
			more = append(more, nameToken)
		}
		if err := d.checkNames(e.field, e.url, more...); err != nil {
			return err
		}
		if slices.Contains(names(e.url), nameAccessToken) {
			return &FieldError{e.field, "a token in a URL ends up in logs", "only a revocation URL can have it, as {token}"}
		}
	}
	if o.Discovery != "" {
		return nil
	}
	for _, flow := range d.Flows {
		needs := map[string]string{"token_url": o.TokenURL}
		switch flow {
		case FlowAPIKey:
			continue
		case FlowPKCE:
			needs["authorization_url"] = o.AuthorizationURL
		case FlowDCRPKCE:
			needs["authorization_url"], needs["registration_url"] = o.AuthorizationURL, o.RegistrationURL
		case FlowDeviceCode:
			needs["device_authorization_url"] = o.DeviceURL
		}
		if err := required("oauth.", needs); err != nil {
			return err
		}
	}
	return nil
}

func (d *Definition) checkClientAuth(o *OAuth) error {
	for _, m := range []memberText{{"pkce", o.PKCE}, {"client_secret", o.ClientSecret}, {"token_auth", o.TokenAuth}, {"token_body", o.TokenBody}} {
		if err := optionalOneOf("oauth."+m.member, m.text); err != nil {
			return err
		}
	}
	if o.TokenAuth == "private_key_jwt" && o.JWT == nil {
		return &FieldError{"oauth.jwt", "missing", "private_key_jwt needs oauth.jwt with a key"}
	}
	if o.TokenAuth == "none" && o.ClientSecret == "required" {
		return &FieldError{"oauth.client_secret", "cannot be required, because token_auth none does not send it", ""}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		if _, reason := checkHeader(name, o.Headers[name]); reason != "" {
			return &FieldError{"oauth.headers." + name, reason, ""}
		}
		if err := d.checkNames("oauth.headers."+name, o.Headers[name]); err != nil {
			return err
		}
	}
	return nil
}

// flowParams lists the parameters that the flows set. Another value would make a
// login fail or make it insecure.
var flowParams = []string{"response_type", "state", "code_challenge", "code_challenge_method", "code_verifier", "redirect_uri", "grant_type", "code", "refresh_token", "device_code", "client_secret", "client_assertion", "assertion"}

func (d *Definition) checkOAuthParams(o *OAuth) error {
	for _, list := range []struct {
		name   string
		params map[string]string
	}{{"authorize_params", o.AuthorizeParams}, {"token_params", o.TokenParams}, {"refresh_params", o.RefreshParams}, {"device_params", o.DeviceParams}} {
		for _, name := range slices.Sorted(maps.Keys(list.params)) {
			field := "oauth." + list.name + "." + name
			replaced := list.name != "authorize_params" && (name == "grant_type" || name == "redirect_uri") // some services need another grant
			if slices.Contains(flowParams, name) && !replaced {
				return &FieldError{field, "the flow sets this parameter", "remove it"}
			}
			if err := d.checkNames(field, list.params[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *Definition) checkRevocation(o *OAuth) error {
	r := o.Revocation
	if r == nil {
		return nil
	}
	if r.URL == "" {
		return &FieldError{"oauth.revocation.url", "missing", ""}
	}
	for _, m := range []memberText{{"method", r.Method}, {"auth", r.Auth}, {"body", r.Body}, {"tokens", r.Tokens}} {
		if err := optionalOneOf("oauth.revocation."+m.member, m.text); err != nil {
			return err
		}
	}
	return nil
}

func (d *Definition) checkRedirect(o *OAuth) error {
	r := o.Redirect
	if r == nil {
		return nil
	}
	switch {
	case r.URL != "":
		if u, err := url.Parse(r.URL); err != nil || u.Scheme != "https" || u.Host == "" {
			return &FieldError{"oauth.redirect.url", "not an https URL", "for a loopback address use host, port and path"}
		}
		if r.Host != "" || r.Port != 0 || r.Path != "" {
			return &FieldError{"oauth.redirect.url", "cannot be combined with host, port and path", "keep one or the other"}
		}
	case r.Host != "":
		if err := oneOf("oauth.redirect.host", r.Host); err != nil {
			return err
		}
	}
	if r.Port < 0 || r.Port > 65535 {
		return &FieldError{"oauth.redirect.port", "not a port number", ""}
	}
	if r.Path != "" && !strings.HasPrefix(r.Path, "/") {
		return &FieldError{"oauth.redirect.path", "a path must begin with /", ""}
	}
	return nil
}

// maxAppStep is the maximum length of a step, in bytes: it is one line of a list.
const maxAppStep = 200

func (d *Definition) checkAppSteps(o *OAuth) error {
	for i, s := range o.AppSteps {
		field := fmt.Sprintf("oauth.app_steps[%d]", i)
		switch {
		case s.Text == "":
			return &FieldError{field + ".text", "missing", ""}
		case len(s.Text) > maxAppStep:
			return &FieldError{field + ".text", fmt.Sprintf("longer than %d bytes", maxAppStep), "make it several steps"}
		case s.Flow != "" && !d.HasFlow(s.Flow):
			return &FieldError{field + ".flow", "not one of flows", "add the flow, or remove the step"}
		}
		for _, name := range names(s.Text) {
			if name != nameRedirectURL && name != nameScopes {
				return &FieldError{field + ".text", "{" + name + "} is not defined", "use {redirect_url} or {scopes}"}
			}
		}
	}
	return nil
}

func (d *Definition) checkJWT(o *OAuth) error {
	j := o.JWT
	if j == nil {
		if d.HasFlow(FlowJWTBearer) {
			return &FieldError{"oauth.jwt", "missing", "jwt_bearer needs oauth.jwt with a key"}
		}
		return nil
	}
	texts := map[string]string{"key": j.Key, "key_id": j.KeyID, "issuer": j.Issuer, "subject": j.Subject, "audience": j.Audience}
	for name, text := range j.Claims {
		texts["claims."+name] = text
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if err := d.checkNames("oauth.jwt."+name, texts[name]); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(names(j.Key), d.secret) {
		return &FieldError{"oauth.jwt.key", "must contain a secret param", "for example {private_key}"}
	}
	return optionalOneOf("oauth.jwt.algorithm", j.Algorithm)
}
