package providers

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
)

// Warnings are what is allowed in the definition and yet should be known before
// it is trusted with a credential.
func (d *Definition) Warnings() []*FieldError {
	var all []*FieldError
	warn := func(field, format string, args ...any) {
		all = append(all, &FieldError{Field: field, Reason: fmt.Sprintf(format, args...)})
	}
	for i, in := range d.Inject {
		secret := slices.ContainsFunc(names(in.Value), d.secret)
		if secret && in.In == InQuery {
			warn(fmt.Sprintf("inject[%d]", i), "the credential goes into the query, and so into the service's logs")
		}
		if secret && in.In == InPath {
			warn(fmt.Sprintf("inject[%d]", i), "the credential goes into the path, and so into the service's logs")
		}
	}
	for _, h := range d.hosts {
		p := h.pattern
		switch {
		case h.names != nil && h.text == "{base_url}": // the user says
		case h.names != nil && h.suffix == "":
			warn(h.field, "the token endpoint says which host the credential goes to")
		case p.kind == Wildcard && h.names == nil:
			warn(h.field, "the credential goes to every host under %s", p.host[1:])
		case p.kind == Regex && h.names == nil:
			warn(h.field, "the credential goes to the hosts that an expression matches; *%s would be clearer", p.host)
		case p.kind == Exact && h.names == nil && privateHost(p.host):
			warn(h.field, "%s is not a public host", p.host)
		}
	}
	for _, e := range d.endpoints {
		if strings.Contains(e.url, "{token}") {
			warn(e.field, "the token goes into the URL, and so into the service's logs")
		}
		if u, err := url.Parse(fillLiterally(e.url)); err == nil && privateHost(u.Hostname()) && u.Hostname() != "" {
			warn(e.field, "%s is for development", u.Hostname())
		}
	}
	if o := d.OAuth; o != nil && o.Discovery != "" {
		warn("oauth.discovery", "the service says at login which endpoints are sent secrets")
	}
	if d.Metadata != nil && d.Metadata.Unverified {
		warn("metadata.unverified", "nobody has checked this definition against the service yet")
	}
	return all
}

// privateHost reports whether a host is not one of the public internet.
func privateHost(host string) bool {
	if kind, isAddress := hosts.KindOfHost(host); isAddress {
		return kind != hosts.Public
	}
	return !public(host)
}
