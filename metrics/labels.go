package metrics

import (
	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// Label values for what does not exist, and for what is not in a label's set.
const (
	none  = "none"
	other = "other"
)

// set is the closed set of a label's values.
type set map[string]bool

// newSet makes a set of the values that another package lists.
func newSet[T ~string](values []T) set {
	s := make(set, len(values))
	for _, v := range values {
		s[string(v)] = true
	}
	return s
}

// label returns value if it is in the set, and otherwise "other".
func (s set) label(value string) string {
	if s[value] {
		return value
	}
	return other
}

var (
	codes           = newSet(intercept.Codes())
	reasons         = missReasons()
	refreshOutcomes = newSet(auth.RefreshOutcomes())
	operations      = newSet(vault.Operations())
	vaultOutcomes   = newSet(vault.Outcomes())

	// statuses are those of connections that need the user.
	statuses = newSet([]auth.Status{auth.StatusExpired, auth.StatusInvalid, auth.StatusRevoked, auth.StatusNotConnected})
)

// missReasons are the reasons of the decisions that inject no credential.
func missReasons() set {
	s := newSet(routing.Reasons())
	delete(s, string(routing.Matched))
	return s
}

// statusClasses are the values of the label "code" of requests, by the first digit
// of the status.
var statusClasses = [...]string{none, "1xx", "2xx", "3xx", "4xx", "5xx"}

func statusClass(status int) int {
	if class := status / 100; class > 0 && class < len(statusClasses) {
		return class
	}
	return 0
}
