package providers

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

func (d *Definition) checkOAuth(f *faults) {
	o := d.OAuth
	if o == nil {
		return
	}
	for _, check := range []func(*faults, *OAuth){d.checkIssuer, d.checkOAuthFlows, d.checkClientAuth, d.checkOAuthParams, d.checkRevocation, d.checkRedirect, d.checkAppSteps, d.checkJWT} {
		check(f, o)
	}
	if o.Lifetime != "" {
		if life, err := time.ParseDuration(o.Lifetime); err != nil || life <= 0 {
			f.add("oauth.lifetime", "not a duration", "for example 1h or 720h")
		}
	}
	for i, s := range o.Scopes {
		if s == "" || strings.ContainsAny(s, " \t\r\n\"\\") {
			f.add(fmt.Sprintf("oauth.scopes[%d]", i), "not a scope", "write one scope per entry")
		}
	}
}

func (d *Definition) checkIssuer(f *faults, o *OAuth) {
	for _, u := range []struct{ field, text string }{{"oauth.issuer", o.Issuer}, {"oauth.resource", o.Resource}} {
		if u.text == "" {
			continue
		}
		f.addError(d.checkNames(u.field, u.text))
		needed := o.Discovery == "issuer" && u.text == o.Issuer || o.Discovery == "resource" && u.text == o.Resource
		if needed && strings.Contains(u.text, "://") {
			_, err := d.compileEndpoint(u.field, u.text)
			f.addError(err)
		}
	}
	switch o.Discovery {
	case "":
	case "issuer":
		f.required("oauth.", map[string]string{"issuer": o.Issuer})
	case "resource":
		f.required("oauth.", map[string]string{"resource": o.Resource})
	default:
		f.addError(oneOf("oauth.discovery", o.Discovery))
	}
}

// checkEndpoints checks the names in the endpoints of all flows.
func (d *Definition) checkEndpoints(f *faults) {
	for _, e := range d.endpoints {
		more := []string{}
		if strings.HasSuffix(e.field, ".revocation.url") {
			more = append(more, nameToken)
		}
		f.addError(d.checkNames(e.field, e.url, more...))
		if slices.Contains(names(e.url), nameAccessToken) {
			f.add(e.field, "a token in a URL ends up in logs", "only a revocation URL can have it, as {token}")
		}
	}
}

// checkOAuthFlows checks that each flow has the endpoints that it needs, unless they are
// discovered.
func (d *Definition) checkOAuthFlows(f *faults, o *OAuth) {
	if o.Discovery != "" {
		return
	}
	for _, flow := range d.Flows {
		if d.OAuthByFlow[flow] != nil {
			continue
		}
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
		f.required("oauth.", needs)
	}
}

func (d *Definition) checkClientAuth(f *faults, o *OAuth) {
	for _, m := range []memberText{{"pkce", o.PKCE}, {"client_secret", o.ClientSecret}, {"token_auth", o.TokenAuth}, {"token_body", o.TokenBody}, {"device_client", o.DeviceClient}, {"device_token_body", o.DeviceTokenBody}} {
		f.addError(optionalOneOf("oauth."+m.member, m.text))
	}
	for _, v := range []memberText{{"client_id_env", o.ClientIDEnv}, {"client_secret_env", o.ClientSecretEnv}} {
		if v.text == "" {
			continue
		}
		if reason := refusedVariable(v.text); reason != "" {
			f.add("oauth."+v.member, reason, "")
		}
	}
	if o.TokenAuth == "private_key_jwt" && o.JWT == nil {
		f.add("oauth.jwt", "missing", "private_key_jwt needs oauth.jwt with a key")
	}
	if o.TokenAuth == "none" && o.ClientSecret == "required" {
		f.add("oauth.client_secret", "cannot be required, because token_auth none does not send it", "")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		if _, reason := checkHeader(name, o.Headers[name]); reason != "" {
			f.add("oauth.headers."+name, reason, "")
		}
		f.addError(d.checkNames("oauth.headers."+name, o.Headers[name]))
	}
}

// flowParams lists the parameters that the flows set. Another value would make a
// login fail or make it insecure.
var flowParams = []string{"response_type", "state", "code_challenge", "code_challenge_method", "code_verifier", "redirect_uri", "grant_type", "code", "refresh_token", "device_code", "client_secret", "client_assertion", "assertion"}

func (d *Definition) checkOAuthParams(f *faults, o *OAuth) {
	for _, list := range []struct {
		name   string
		params map[string]string
	}{{"authorize_params", o.AuthorizeParams}, {"token_params", o.TokenParams}, {"refresh_params", o.RefreshParams}, {"device_params", o.DeviceParams}} {
		for _, name := range slices.Sorted(maps.Keys(list.params)) {
			field := "oauth." + list.name + "." + name
			replaced := list.name != "authorize_params" && (name == "grant_type" || name == "redirect_uri") // some services need another grant
			if slices.Contains(flowParams, name) && !replaced {
				f.add(field, "the flow sets this parameter", "remove it")
			}
			f.addError(d.checkNames(field, list.params[name]))
		}
	}
}

func (d *Definition) checkRevocation(f *faults, o *OAuth) {
	r := o.Revocation
	if r == nil {
		return
	}
	f.required("oauth.revocation.", map[string]string{"url": r.URL})
	for _, m := range []memberText{{"method", r.Method}, {"auth", r.Auth}, {"body", r.Body}, {"tokens", r.Tokens}} {
		f.addError(optionalOneOf("oauth.revocation."+m.member, m.text))
	}
}

func (d *Definition) checkRedirect(f *faults, o *OAuth) {
	r := o.Redirect
	if r == nil {
		return
	}
	switch {
	case r.URL != "":
		if u, err := url.Parse(r.URL); err != nil || u.Scheme != "https" || u.Host == "" {
			f.add("oauth.redirect.url", "not an https URL", "for a loopback address use host, port and path")
		}
		if r.Host != "" || r.Port != 0 || r.Path != "" {
			f.add("oauth.redirect.url", "cannot be combined with host, port and path", "keep one or the other")
		}
	case r.Host != "":
		f.addError(oneOf("oauth.redirect.host", r.Host))
	}
	if r.Port < 0 || r.Port > 65535 {
		f.add("oauth.redirect.port", "not a port number", "")
	}
	if r.Path != "" && !strings.HasPrefix(r.Path, "/") {
		f.add("oauth.redirect.path", "a path must begin with /", "")
	}
}

// maxAppStep is the maximum length of a step, in bytes: it is one line of a list.
const maxAppStep = 200

func (d *Definition) checkAppSteps(f *faults, o *OAuth) {
	for i, s := range o.AppSteps {
		field := fmt.Sprintf("oauth.app_steps[%d]", i)
		switch {
		case s.Text == "":
			f.add(field+".text", "missing", "")
		case len(s.Text) > maxAppStep:
			f.add(field+".text", fmt.Sprintf("longer than %d bytes", maxAppStep), "make it several steps")
		}
		if s.Flow != "" && !d.HasFlow(s.Flow) {
			f.add(field+".flow", "not one of flows", "add the flow, or remove the step")
		}
		for _, name := range names(s.Text) {
			if name != nameRedirectURL && name != nameScopes {
				f.add(field+".text", "{"+name+"} is not defined", "use {redirect_url} or {scopes}")
			}
		}
	}
}

func (d *Definition) checkJWT(f *faults, o *OAuth) {
	j := o.JWT
	if j == nil {
		if d.HasFlow(FlowJWTBearer) {
			f.add("oauth.jwt", "missing", "jwt_bearer needs oauth.jwt with a key")
		}
		return
	}
	texts := map[string]string{"key": j.Key, "key_id": j.KeyID, "issuer": j.Issuer, "subject": j.Subject, "audience": j.Audience}
	for name, text := range j.Claims {
		texts["claims."+name] = text
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		f.addError(d.checkNames("oauth.jwt."+name, texts[name]))
	}
	if !slices.ContainsFunc(names(j.Key), d.secret) {
		f.add("oauth.jwt.key", "must contain a secret param", "for example {private_key}")
	}
	f.addError(optionalOneOf("oauth.jwt.algorithm", j.Algorithm))
}
