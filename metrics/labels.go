package metrics

import "slices"

// Values of labels for what is not there, and for what is not known.
const (
	none  = "none"
	other = "other"
)

// codes are the reasons with which the proxy answers by itself.
var codes = []string{
	"proxy_auth_required", "not_your_proxy", "host_denied", "method_denied", "private_target", "login_required", "route_ambiguous",
	"https_required", "placeholder_refused", "authority_mismatch", "bad_request", "refresh_unavailable", "vault_unavailable", "audit_unavailable",
	"upstream_unreachable", "upstream_tls", "upstream_timeout",
}

// reasons are those of the routing decisions that inject nothing.
var reasons = []string{"no_route", "other_port", "path_outside", "path_ambiguous", "method_outside", "oauth_endpoint", "unsigned"}

// Operations on a vault.
const (
	View   = "view"
	Update = "update"
)

var operations = []string{View, Update}

// Outcomes of operations on a vault.
const (
	VaultOK       = "ok"
	VaultLocked   = "locked"    // the wait for another process ran out
	VaultDamaged  = "damaged"   // including a wrong key
	VaultNotFound = "not_found" // no such record
	VaultError    = "error"     // anything else
)

var vaultOutcomes = []string{VaultOK, VaultLocked, VaultDamaged, VaultNotFound, VaultError}

// Outcomes of a refresh.
const (
	Refreshed        = "refreshed"
	RefreshInvalid   = "invalid"   // the provider refused the refresh token for good
	RefreshTransient = "transient" // the token endpoint cannot be reached or is failing
	RefreshAmbiguous = "ambiguous" // sent, and the answer was lost
)

var refreshOutcomes = []string{Refreshed, RefreshInvalid, RefreshTransient, RefreshAmbiguous}

// oneOf is value if it is in the set, and otherwise "other".
func oneOf(value string, set ...[]string) string {
	for _, s := range set {
		if slices.Contains(s, value) {
			return value
		}
	}
	return other
}

// statusClasses are the values of the label code of requests, by the first digit
// of the status.
var statusClasses = [...]string{none, "1xx", "2xx", "3xx", "4xx", "5xx"}

func statusClass(status int) int {
	if class := status / 100; class > 0 && class < len(statusClasses) {
		return class
	}
	return 0
}
