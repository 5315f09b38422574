package loopback

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/authsome/authsome/secret"
)

// tokenField is the hidden form field with a random token, which shows that the
// form came from a page of this server.
const tokenField = "authsome_token"

// actionField is the name of the buttons that end a form without values.
const actionField = "authsome_action"

// Values of actionField.
const (
	actionCancel = "cancel"
	actionBack   = "back"
)

// clientIDField is the field that makes a form one about an OAuth client
// (RFC 6749, section 2.2).
const clientIDField = "client_id"

// formResult is how a form ended: with values or with an error.
type formResult struct {
	values map[string]secret.String
	err    error
}

// formStage is a form that the user is filling in.
type formStage struct {
	Form
	choices []Choice // see Choose
	code    *Code    // see ShowCode

	result chan<- formResult // has capacity 1

	mu       sync.Mutex        // guards all fields below; held while Accept runs
	tokens   map[string]bool   // every token in a page; true once it was used
	entered  map[string]string // by field, without secrets
	problems map[string]string // by field; "" is the form as a whole
	done     bool
}

// template is the page that shows the form.
func (f *formStage) template() string {
	switch {
	case f.code != nil:
		return "code"
	case f.choices != nil:
		return "choose"
	}
	return "form"
}

// submit checks a submitted form. known reports whether its token is one of this form's.
// A token counts once: a repeated submission does nothing. The result is nil if the form
// is still open.
func (f *formStage) submit(ctx context.Context, sent url.Values) (known bool, result *formResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := sent.Get(tokenField)
	used, known := f.tokens[token]
	if !known || used || f.done {
		return known, nil
	}
	f.tokens[token] = true
	switch action := sent.Get(actionField); {
	case action == actionCancel:
		result = &formResult{err: ErrCancelled}
	case action == actionBack && f.Back:
		result = &formResult{err: ErrBack}
	case f.code != nil: // nothing to submit
		return true, nil
	default:
		values := f.check(ctx, sent)
		if len(f.problems) > 0 {
			return true, nil
		}
		result = &formResult{values: values}
	}
	f.done = true
	return true, result
}

// check returns the valid values of a submitted form, and sets the problems.
func (f *formStage) check(ctx context.Context, sent url.Values) map[string]secret.String {
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
	return values
}

// view returns the form's current content for the page, with a new token. number is
// that of the stage.
func (f *formStage) view(title, action string, number int) formView {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := rand.Text()
	f.tokens[token] = false
	v := formView{
		Title: title, Purpose: f.Purpose, Action: action, Token: token, KeyURL: f.KeyURL, Redirect: f.Redirect, Hosts: f.Hosts, Back: f.Back,
		Choices: f.choices, Code: f.code, Number: number,
		OAuthApp: slices.ContainsFunc(f.Fields, func(field Field) bool { return field.Name == clientIDField }),
		Failed:   len(f.problems) > 0, Problem: sentence(f.problems[""]),
	}
	for _, text := range f.Steps {
		step := newStepView(text, f.Redirect)
		if step.Redirect != "" {
			v.Redirect = "" // it is shown once
		}
		v.Steps = append(v.Steps, step)
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
		if field.Hint != "" && strings.Contains(problem, field.Hint) {
			field.Hint = "" // the problem says it
		}
		focus := !focused && (problem != "" || len(f.problems) == 0 || f.problems[""] != "")
		focused = focused || focus
		v.Fields = append(v.Fields, fieldView{Field: field, Entered: value, Problem: problem, Focus: focus})
	}
	return v
}

// newStepView splits a step at the redirect URL, which the page shows for copying.
func newStepView(text, redirect string) stepView {
	if redirect == "" {
		return stepView{Before: text}
	}
	before, after, found := strings.Cut(text, redirect)
	if !found {
		return stepView{Before: text}
	}
	return stepView{Before: before, Redirect: redirect, After: after}
}
