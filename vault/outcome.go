package vault

import "errors"

// Operation is a kind of transaction, as [Vault.OnOperation] reports it.
type Operation string

// The operations.
const (
	OperationView   Operation = "view"
	OperationUpdate Operation = "update"
)

// Operations lists all operations.
func Operations() []Operation { return []Operation{OperationView, OperationUpdate} }

// Outcome is how an operation ended.
type Outcome string

// The outcomes.
const (
	OutcomeOK       Outcome = "ok"
	OutcomeAborted  Outcome = "aborted"   // the caller's function returned an error
	OutcomeNotFound Outcome = "not_found" // the record does not exist
	OutcomeLocked   Outcome = "locked"    // another process held the vault for too long
	OutcomeDamaged  Outcome = "damaged"   // including a wrong key
	OutcomeError    Outcome = "error"     // anything else, such as a full disk
)

// Outcomes lists all outcomes.
func Outcomes() []Outcome {
	return []Outcome{OutcomeOK, OutcomeAborted, OutcomeNotFound, OutcomeLocked, OutcomeDamaged, OutcomeError}
}

// observe reports an operation that ended with err. fnErr is the error that the
// caller's function returned, or nil.
func (v *Vault) observe(operation Operation, err, fnErr error) {
	if v.OnOperation != nil {
		v.OnOperation(operation, outcomeOf(err, fnErr))
	}
}

func outcomeOf(err, fnErr error) Outcome {
	switch {
	case err == nil:
		return OutcomeOK
	case isDamage(err), errors.Is(err, ErrWrongKey):
		return OutcomeDamaged
	case errors.Is(err, ErrNotFound):
		return OutcomeNotFound
	case fnErr != nil:
		return OutcomeAborted
	case errors.Is(err, ErrLocked):
		return OutcomeLocked
	}
	return OutcomeError
}
