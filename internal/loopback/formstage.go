package loopback

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"slices"
	"sync"

	"github.com/authsome/authsome/secret"
)

// tokenField is the hidden form field with a random token, which shows that the
// form came from a page of this server.
const tokenField = "authsome_token"

// clientIDField is the field that makes a form one about an OAuth client
// (RFC 6749, section 2.2).
const clientIDField = "client_id"

// formStage is a form that the user is filling in.
type formStage struct {
	Form
	values chan<- map[string]secret.String // has capacity 1

	mu       sync.Mutex        // guards all fields below; held while Accept runs
	tokens   map[string]bool   // every token in a page; true once it was used
	entered  map[string]string // by field, without secrets
	problems map[string]string // by field; "" is the form as a whole
	done     bool
}

// submit checks the values of a submitted form. known reports whether its token is
// one of this form's. A token counts once: a repeated submission does nothing.
// accepted is nil unless all values are valid.
func (f *formStage) submit(ctx context.Context, sent url.Values) (known bool, accepted map[string]secret.String) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := sent.Get(tokenField)
	used, known := f.tokens[token]
	if !known || used || f.done {
		return known, nil
	}
	f.tokens[token] = true
	f.problems = make(map[string]string)
	values := make(map[string]secret.String)
	for i := range f.Fields {
		field := &f.Fields[i]
		if !field.Secret {
			f.entered[field.Name] = sent.Get(field.Name)
		}
		value, err := field.Take(sent.Get(field.Name))
		if err != nil {
			f.problems[field.Name] = err.Error()
		} else if !value.IsZero() {
			values[field.Name] = value
		}
	}
	if len(f.problems) == 0 && f.Accept != nil {
		if err := f.Accept(ctx, values); err != nil {
			field := ""
			if e, ok := errors.AsType[*FieldError](err); ok {
				field = e.Field
			}
			f.problems[field] = err.Error()
		}
	}
	if len(f.problems) > 0 {
		return true, nil
	}
	f.done = true
	return true, values
}

// view returns the form's current content for the page, with a new token.
func (f *formStage) view(title, action string) formView {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := rand.Text()
	f.tokens[token] = false
	v := formView{
		Title: title, Purpose: f.Purpose, Action: action, Token: token, KeyURL: f.KeyURL, Redirect: f.Redirect, Hosts: f.Hosts,
		OAuthApp: slices.ContainsFunc(f.Fields, func(field Field) bool { return field.Name == clientIDField }),
		Failed:   len(f.problems) > 0, Problem: sentence(f.problems[""]),
	}
	focused := false
	for _, field := range f.Fields {
		value, typed := f.entered[field.Name]
		if !typed {
			value = field.Value
		}
		problem := sentence(f.problems[field.Name])
		if problem != "" {
			v.Invalid++
		}
		focus := !focused && (problem != "" || len(f.problems) == 0 || f.problems[""] != "")
		focused = focused || focus
		v.Fields = append(v.Fields, fieldView{Field: field, Entered: value, Problem: problem, Focus: focus})
	}
	return v
}
