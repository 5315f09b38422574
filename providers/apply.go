package providers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/secret"
)

// RequestError is a fault of a request for which it cannot get the credential. The text
// repeats nothing of the request.
type RequestError string

func (e RequestError) Error() string { return string(e) }

// Apply removes the client's own values, in every spelling, from the places that the
// credential uses, and puts the credential there. After an error the request must
// not be sent. If the request is at fault, the error is a [RequestError].
func (i *Injection) Apply(r *http.Request) error {
	for name := range r.Header {
		if i.replacesHeader(name) {
			delete(r.Header, name)
		}
	}
	for _, h := range i.headers {
		if h.ifAbsent && hasHeader(r.Header, h.name) {
			continue
		}
		r.Header[h.name] = []string{h.value.Reveal()}
	}
	if len(i.query) > 0 || len(i.removeQuery) > 0 {
		if err := i.applyQuery(r.URL); err != nil {
			return err
		}
	}
	if len(i.paths) > 0 {
		if err := i.applyPath(r.URL); err != nil {
			return err
		}
	}
	if i.signer != nil {
		return i.signer.sign(r)
	}
	return nil
}

// replacesHeader reports whether the client's header with the name is removed.
func (i *Injection) replacesHeader(name string) bool {
	for _, h := range i.headers {
		if !h.ifAbsent && SameField(name, h.name) {
			return true
		}
	}
	for _, removed := range i.removeHeaders {
		if SameField(name, removed) {
			return true
		}
	}
	return false
}

// SameField reports whether a server may take two header names for one: many, as CGI
// does, ignore the case and read each character that is not a letter or a digit as an
// underscore.
func SameField(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if x, y := fold(a[i]), fold(b[i]); x != y {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 'a'
	}
	return '_'
}

func hasHeader(h http.Header, canonical string) bool {
	if _, ok := h[canonical]; ok {
		return true
	}
	for name := range h {
		if len(name) == len(canonical) && strings.EqualFold(name, canonical) {
			return true
		}
	}
	return false
}

// applyQuery rewrites the query. A credential replaces the first parameter with its
// name. Other parameters keep their bytes and their order.
func (i *Injection) applyQuery(u *url.URL) error {
	var b strings.Builder
	b.Grow(len(u.RawQuery) + 64)
	placed := make([]bool, len(i.query))
	first := true
	write := func(text string) {
		if !first {
			b.WriteByte('&')
		}
		first = false
		b.WriteString(text)
	}
	for rest, more := u.RawQuery, u.RawQuery != ""; more; {
		var parameter string
		parameter, rest, more = strings.Cut(rest, "&")
		n, removed, err := i.querySlot(parameter)
		switch {
		case err != nil:
			return err
		case removed:
		case n < 0:
			write(parameter)
		case i.query[n].ifAbsent:
			placed[n] = true
			write(parameter)
		case !placed[n]:
			placed[n] = true
			write(i.query[n].value.Reveal())
		}
	}
	for n, done := range placed {
		if !done {
			write(i.query[n].value.Reveal())
		}
	}
	u.RawQuery = b.String()
	return nil
}

// querySlot returns the index of the slot that a parameter of the query uses, or -1,
// and whether the parameter is removed.
func (i *Injection) querySlot(parameter string) (n int, removed bool, err error) {
	n = -1
	pieces := 0
	for piece := range strings.SplitSeq(parameter, ";") {
		pieces++
		name, _, _ := strings.Cut(piece, "=")
		if strings.ContainsAny(name, "%+") {
			if decoded, err := url.QueryUnescape(name); err == nil {
				name = decoded
			}
		}
		for k := range i.query {
			if i.query[k].name == name {
				n = k
			}
		}
		removed = removed || slices.Contains(i.removeQuery, name)
	}
	if pieces > 1 && (n >= 0 || removed) {
		// Some servers end a parameter at a semicolon, others do not.
		return 0, false, RequestError("the query has a semicolon next to the parameter of the credential")
	}
	return n, removed, nil
}

// Redact replaces the part of a path that holds a credential, for records. What the
// client sent there may be a real credential.
func (d *Definition) Redact(path string) string {
	for _, in := range d.Inject {
		if in.In != InPath {
			continue
		}
		if rest, ok := strings.CutPrefix(path, in.Prefix); ok {
			_, after, slash := strings.Cut(rest, "/")
			if slash {
				after = "/" + after
			}
			return in.Prefix + secret.Redacted + after
		}
	}
	return path
}

// applyPath replaces the segment after a prefix by the credential.
func (i *Injection) applyPath(u *url.URL) error {
	escaped := u.EscapedPath()
	for _, p := range i.paths {
		rest, ok := strings.CutPrefix(escaped, p.name)
		if !ok {
			continue
		}
		own, after, slash := strings.Cut(rest, "/")
		if own == "" || strings.Contains(strings.ToLower(own), "%2f") || strings.Contains(strings.ToLower(own), "%5c") {
			continue
		}
		if slash {
			after = "/" + after
		}
		raw := p.name + url.PathEscape(p.value.Reveal()) + after
		decoded, err := url.PathUnescape(raw)
		if err != nil {
			return RequestError("the path has an invalid escape")
		}
		u.Path, u.RawPath = decoded, raw
		return nil
	}
	return RequestError("the path has no place for the credential")
}
