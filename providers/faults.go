package providers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FieldError reports an invalid member of a definition.
type FieldError struct {
	Field  string // path of the member, for example oauth.scopes[1]; empty for the whole file
	Reason string
	Hint   string // what to do; may be empty
}

func (e *FieldError) Error() string {
	s := e.Reason
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// invalidError reports a definition with several faults, in the order in which they were
// found.
type invalidError struct{ faults []*FieldError }

func (e *invalidError) Error() string {
	return fmt.Sprintf("%v (and %d more)", e.faults[0], len(e.faults)-1)
}

// Unwrap returns the faults.
func (e *invalidError) Unwrap() []error {
	all := make([]error, len(e.faults))
	for i, fault := range e.faults {
		all[i] = fault
	}
	return all
}

// Faults returns what is wrong with the definition that err is about, or nil if err has
// no [FieldError].
func Faults(err error) []*FieldError {
	if e, ok := errors.AsType[*invalidError](err); ok {
		return e.faults
	}
	if e, ok := errors.AsType[*FieldError](err); ok {
		return []*FieldError{e}
	}
	return nil
}

// missing is the reason for a member that is absent.
const missing = "missing"

// faults collects what is wrong with a definition. Its zero value is empty.
type faults struct {
	all   []*FieldError
	meant []string // members of which a misspelt one was found
}

// add adds a fault, unless the member or one around it has a fault already: a member of
// the wrong kind is not also missing.
func (f *faults) add(field, reason, hint string) {
	if reason == missing && slices.Contains(f.meant, field) {
		return
	}
	for _, o := range f.all {
		if o.Field == field || o.Field != "" && (strings.HasPrefix(field, o.Field+".") || strings.HasPrefix(field, o.Field+"[")) {
			return
		}
	}
	f.all = append(f.all, &FieldError{field, reason, hint})
}

// addError adds the faults in err, which may be nil.
func (f *faults) addError(err error) {
	for _, e := range Faults(err) {
		f.add(e.Field, e.Reason, e.Hint)
	}
}

// about reports whether a member, or a part of it, has a fault.
func (f *faults) about(member string) bool {
	for _, o := range f.all {
		if o.Field == member || strings.HasPrefix(o.Field, member+".") || strings.HasPrefix(o.Field, member+"[") {
			return true
		}
	}
	return false
}

// err returns the faults as an error, or nil.
func (f *faults) err() error {
	switch len(f.all) {
	case 0:
		return nil
	case 1:
		return f.all[0]
	}
	return &invalidError{f.all}
}
