package auth

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/authsome/authsome/providers"
)

// Adapt fits a connection that another authsome stored to a definition. A base URL that
// the definition does not use is dropped if it is the service's own address; a value in
// it, such as the name of a tenant, is kept. Values that are derived from others are
// added. The error is an [*addressError], or about a value that cannot be derived.
func Adapt(d *providers.Definition, c Connection) (Connection, error) {
	var read providers.Values
	if c.BaseURL != "" && !d.AcceptsBaseURL() {
		read = d.ReadAddress(c.BaseURL)
		if read == nil && !d.OwnsAddress(c.BaseURL) {
			return c, &addressError{d.Name, c.BaseURL}
		}
		c.BaseURL = ""
	}
	values := c.Values()
	for name, value := range read {
		if values[name].IsZero() {
			values[name] = value
		}
	}
	if err := d.Derive(values); err != nil {
		if e, ok := errors.AsType[*providers.FieldError](err); ok {
			err = errors.New(e.Reason)
		}
		return c, err
	}
	added := make(providers.Values)
	for _, p := range d.Params {
		if p.From != "" || !read[p.Name].IsZero() {
			added[p.Name] = values[p.Name]
		}
	}
	c.setValues(d, added)
	return c, nil
}

// addressError reports the address of an instance that a provider does not cover.
type addressError struct{ Provider, address string }

func (e *addressError) Error() string {
	host := "another address"
	if u, err := url.Parse(e.address); err == nil && u.Host != "" {
		host = u.Scheme + "://" + u.Host // an address can contain a password
	}
	return fmt.Sprintf("it is for %s, which the provider %s does not cover", host, e.Provider)
}
