package providers

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
)

// Warnings returns what is valid in the definition, but what a user has to know
// before trusting it with a credential. It includes what is left out.
func (d *Definition) Warnings() []*FieldError {
	all := slices.Concat(d.dropped, d.notes)
	warn := func(field, format string, args ...any) {
		all = append(all, &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
	}
	for i, in := range d.Inject {
		secret := slices.ContainsFunc(names(in.Value), d.secret)
		if secret && in.In == InQuery {
			warn(fmt.Sprintf("inject[%d]", i), "the credential goes into the query, which servers often log")
		}
		if secret && in.In == InPath {
			warn(fmt.Sprintf("inject[%d]", i), "the credential goes into the path, which servers often log")
		}
	}
	if d.Scrub == scrubOff {
		warn("scrub", "secrets in responses are not masked, so the agent can see them: %s", d.ScrubReason)
	}
	for _, h := range d.hosts {
		p := h.pattern
		switch {
		case h.names != nil && h.text == "{base_url}": // the user chooses it
		case h.names != nil && h.suffix == "":
			warn(h.field, "the token response decides which host gets the credential")
		case p.kind == Wildcard && h.names == nil:
			warn(h.field, "the credential goes to every host under %s", p.host[1:])
		case p.kind == Regex && h.names == nil:
			warn(h.field, "the credential goes to every host that the expression matches; *%s is easier to check", p.host)
		case p.kind == Exact && h.names == nil && privateHost(p.host):
			warn(h.field, "%s is not a public host", p.host)
		}
	}
	for _, e := range d.endpoints {
		if strings.Contains(e.url, "{token}") {
			warn(e.field, "the token goes into the URL, which servers often log")
		}
		if u, err := url.Parse(fillWithLetter(e.url)); err == nil && privateHost(u.Hostname()) && u.Hostname() != "" {
			warn(e.field, "%s is not a public host; use it only for development", u.Hostname())
		}
	}
	if o := d.OAuth; o != nil {
		if o.Discovery != "" {
			warn("oauth.discovery", "the service decides at login which endpoints get secrets")
		}
		if d.DiscoversRegistration() {
			warn("oauth.registration_endpoint", "the host of the authorization URL says at login where the OAuth client is registered")
		}
		if o.ClientIDEnv != "" {
			warn("oauth.client_id_env", "a login sends the value of %s to the service as the client ID", o.ClientIDEnv)
		}
		if o.ClientSecretEnv != "" {
			warn("oauth.client_secret_env", "a login sends the value of %s to the service as the client secret", o.ClientSecretEnv)
		}
	}
	if d.Metadata != nil && d.Metadata.Unverified {
		warn("metadata.unverified", "this definition has not been checked against the service")
	}
	return all
}

// privateHost reports whether a host is not on the public internet.
func privateHost(host string) bool {
	if kind, isAddress := hosts.KindOfHost(host); isAddress {
		return kind != hosts.Public
	}
	return !publicName(host)
}
