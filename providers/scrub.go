package providers

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/authsome/authsome/internal/mask"
)

// Mask masks the credential's secrets in what the service answers: secret params,
// tokens, and values composed of them, but never user names, account IDs and other
// values that are not secret. It is compiled when it is first used.
//
// A secret that belongs in the URL is replaced by [PlaceholderMark] in heads, so that
// a client can follow such a URL: its request gets the credential again.
func (i *Injection) Mask() *mask.Mask { return i.mask() }

// scrub sets what [Injection.Mask] masks. If the definition turned it off, these are
// the secrets in the URLs of heads: a client that follows one gets the secret again.
func (i *Injection) scrub(secrets []mask.Secret, off bool) {
	if off {
		secrets = slices.DeleteFunc(secrets, func(s mask.Secret) bool { return s.Placeholder == "" })
		for n := range secrets {
			secrets[n].HeadOnly = true
		}
	}
	i.identity = slices.ContainsFunc(secrets, func(s mask.Secret) bool { return !s.HeadOnly && !mask.Short(s.Text) })
	i.mask = sync.OnceValue(func() *mask.Mask { return mask.New(secrets) })
}

// ApplyMasked is [Injection.Apply] for a request whose response is masked: it asks for
// a body that is not encoded, because such a body cannot be searched for secrets.
func (i *Injection) ApplyMasked(r *http.Request) error {
	if !i.identity {
		return i.Apply(r)
	}
	asked := make(http.Header)
	for name, values := range r.Header {
		if strings.EqualFold(name, "Accept-Encoding") {
			asked[name] = values
			delete(r.Header, name)
		}
	}
	r.Header["Accept-Encoding"] = []string{"identity"} // before the request is signed
	err := i.Apply(r)
	if err != nil {
		delete(r.Header, "Accept-Encoding")
		maps.Copy(r.Header, asked)
	}
	return err
}

// secrets returns what an entry puts on requests that a response must not repeat.
func (c *compiler) secrets(in Inject) []mask.Secret {
	var plain []mask.Secret
	short := true
	for _, t := range in.templates() {
		for _, name := range names(t.text) {
			if v := c.d.value(c.values, name); v != "" && c.d.secret(name) {
				plain = append(plain, mask.Secret{Text: v})
				short = short && mask.Short(v)
			}
		}
	}
	if plain == nil || c.absent(in) {
		return nil
	}
	whole, err := c.expand("value", in.Value)
	switch {
	case in.In == InBasic:
		user, _ := c.expand("username", in.Username)
		password, _ := c.expand("password", in.Password)
		encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		return append(plain, mask.Secret{Text: strings.TrimRight(encoded, "=")})
	case err != nil:
	case in.In == InQuery, in.In == InPath:
		return append([]mask.Secret{{Text: whole, Placeholder: PlaceholderMark}}, plain...)
	case in.In == InHeader && short:
		return append(plain, mask.Secret{Text: whole}) // which is long enough to be found in bodies
	}
	return plain
}

// unsent returns the secrets of a connection that are not put on requests. A response
// can contain them nevertheless. Key files are left out: they never leave the
// machine.
func (d *Definition) unsent(values Values) []mask.Secret {
	var all []mask.Secret
	for _, p := range d.Params {
		if v := d.value(values, p.Name); p.Secret && !keyFile(v) {
			all = append(all, mask.Secret{Text: v})
		}
	}
	return append(all, mask.Secret{Text: d.value(values, nameAccessToken)})
}

// keyFile reports whether a value is a key in PEM form or a key file in JSON.
func keyFile(value string) bool {
	return strings.HasPrefix(value, "-----BEGIN ") || strings.HasPrefix(value, "{")
}
