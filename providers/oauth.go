package providers

import (
	"path"
	"strings"
)

// endpoint is a place of the service's own sign-in.
type endpoint struct {
	field, url string
	host, path string // normalised and cleaned; empty where base_url is not known
}

func (d *Definition) compileOAuth() error {
	add := func(field, s string) error {
		if s == "" {
			return nil
		}
		e := endpoint{field: field, url: s}
		if d.OAuth != nil && d.OAuth.BaseURL != "" {
			e.url = strings.ReplaceAll(s, "{base_url}", strings.TrimSuffix(d.OAuth.BaseURL, "/"))
		}
		if !strings.Contains(e.url, "{base_url}") {
			u, err := checkEndpoint(field, e.url)
			if err != nil {
				return err
			}
			if e.host, err = NormalizeHost(u.Hostname()); err != nil && u.Hostname() != "localhost" {
				return &FieldError{field, err.Error(), ""}
			}
			e.path = cleanPath(u.Path)
		}
		d.endpoints = append(d.endpoints, e)
		return nil
	}
	if o := d.OAuth; o != nil {
		for _, e := range []struct{ field, url string }{
			{"oauth.authorization_url", o.AuthorizationURL}, {"oauth.token_url", o.TokenURL},
			{"oauth.revocation_url", o.RevocationURL}, {"oauth.device_authorization_url", o.DeviceURL},
		} {
			if err := add(e.field, e.url); err != nil {
				return err
			}
		}
	}
	if d.Registration != nil {
		return add("registration.registration_endpoint", d.Registration.Endpoint)
	}
	return nil
}

// OAuthEndpoint reports whether a decoded path on host is one of the service's
// own sign-in endpoints, which never get a stored credential: their answers are
// new secrets. Doubled slashes, dot segments and a final slash make no difference.
func (d *Definition) OAuthEndpoint(host, decoded string) bool {
	if len(d.endpoints) == 0 {
		return false
	}
	cleaned := cleanPath(decoded)
	for _, e := range d.endpoints {
		if e.host == host && e.path == cleaned && e.path != "/" {
			return true
		}
	}
	return false
}

func cleanPath(p string) string {
	if p == "" {
		return "/"
	}
	return path.Clean("/" + strings.ReplaceAll(p, `\`, "/"))
}

// Endpoints are the URLs that will be sent secrets of the service.
func (d *Definition) Endpoints() []string {
	var urls []string
	for _, e := range d.endpoints {
		urls = append(urls, e.url)
	}
	return urls
}
