package flows

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/authsome/authsome/internal/bom"
	"github.com/authsome/authsome/secret"
)

// answer is an endpoint's answer as a JSON object. Numbers keep their digits.
type answer struct {
	status int
	header http.Header
	object map[string]any
}

// parseObject reads a JSON object, or a form, with which some endpoints answer. The values
// of a form are strings.
func parseObject(contentType string, body []byte) (map[string]any, error) {
	body = bom.Decode(body)
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	err := d.Decode(&object)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("data after the object")
		}
	}
	if err == nil && object != nil {
		return object, nil
	}
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == "application/x-www-form-urlencoded" {
		if form, err := url.ParseQuery(string(body)); err == nil && len(form) > 0 {
			object = make(map[string]any, len(form))
			for name := range form {
				object[name] = form.Get(name)
			}
			return object, nil
		}
	}
	return nil, errors.New("the answer is not a JSON object")
}

// answer reads a reply. The body has precedence over the status: a server can report an
// error with status 200. The secrets in hidden are removed from the server's texts.
func (c *Config) answer(r *reply, hidden []string) (*answer, error) {
	object, err := parseObject(r.header.Get("Content-Type"), r.body)
	a := &answer{r.status, r.header, object}
	code, description := a.reportedError()
	failed := code != "" || r.status/100 != 2 || c.errorWhen(object)
	switch {
	case failed:
		return nil, &TokenError{
			Kind:        classify(r.status, code, err == nil),
			Code:        errorCode(redact(code, hidden)),
			Description: printable(redact(description, hidden), maxDescription),
			Status:      r.status,
			RetryAfter:  max(retryAfter(r.header, c.now()), a.interval(0)),
		}
	case err != nil:
		return nil, &TokenError{Kind: Protocol, Status: r.status, Err: err}
	}
	return a, nil
}

// reportedError returns the error in an answer: as in RFC 6749 section 5.2, or as an
// object instead of the code, which some APIs send.
func (a *answer) reportedError() (code, description string) {
	switch e := a.object["error"].(type) {
	case string:
		code = e
	case json.Number, bool, nil:
	case map[string]any:
		for _, name := range []string{"code", "type", "status"} {
			if s, ok := e[name].(string); ok && code == "" {
				code = s
			}
		}
		description, _ = e["message"].(string)
		if code == "" {
			code = "error"
		}
	default:
		code = "error"
	}
	for _, name := range []string{"error_description", "error_message", "message"} {
		if s, ok := a.object[name].(string); ok && description == "" {
			description = s
		}
	}
	return code, description
}

// errorWhen reports whether an answer has the members by which the definition recognises
// a failure.
func (c *Config) errorWhen(object map[string]any) bool {
	r := c.Definition.OAuth.Response
	if r == nil || len(r.ErrorWhen) == 0 {
		return false
	}
	for path, want := range r.ErrorWhen {
		got, ok := lookup(object, path)
		if !ok || !reflect.DeepEqual(asFloat(got), asFloat(want)) {
			return false
		}
	}
	return true
}

// asFloat converts numbers to float64, so that they can be compared, and returns other
// values unchanged.
func asFloat(v any) any {
	switch n := v.(type) {
	case json.Number:
		if f, err := n.Float64(); err == nil {
			return f
		}
	case int:
		return float64(n)
	case int64:
		return float64(n)
	}
	return v
}

// redact replaces the secrets that were sent in a server's text.
func redact(s string, hidden []string) string {
	for _, h := range hidden {
		if h == "" {
			continue
		}
		for _, spelling := range []string{h, url.QueryEscape(h), url.PathEscape(h)} {
			s = strings.ReplaceAll(s, spelling, secret.Redacted)
		}
	}
	return s
}
