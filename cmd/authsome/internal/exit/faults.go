package exit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/authsome/authsome/providers"
)

// Fault is one fault of a definition, for programs.
type Fault struct {
	Field  string `json:"field"` // path of the member; empty for the whole file
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
}

// definitionError is a file with an invalid definition.
type definitionError struct {
	file string
	err  error
}

// Definition reports an invalid definition. Its message names each fault. Several faults
// are on separate lines.
func Definition(file string, err error) error { return &definitionError{file, err} }

func (e *definitionError) Error() string {
	faults := providers.Faults(e.err)
	if len(faults) < 2 {
		return e.file + ": " + e.err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %d faults:", e.file, len(faults))
	for _, fault := range faults {
		b.WriteString("\n  " + fault.Error())
	}
	return b.String()
}

func (e *definitionError) Unwrap() error { return e.err }

// Faults returns the faults of the definition that err is about, or nil.
func Faults(err error) []Fault {
	e, ok := errors.AsType[*definitionError](err)
	if !ok {
		return nil
	}
	var all []Fault
	for _, fault := range providers.Faults(e.err) {
		all = append(all, Fault{fault.Field, fault.Reason, fault.Hint})
	}
	return all
}
