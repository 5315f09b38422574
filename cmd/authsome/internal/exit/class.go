package exit

// classes are the names that the Python authsome had for the same errors, by ours. It
// printed them as the member "error" of --json.
var classes = map[string]string{
	"AuthenticationFailed": "AuthenticationFailedError",
	"Cancelled":            "InputCancelledError",
	"CredentialMissing":    "CredentialMissingError",
	"InvalidDefinition":    "InvalidProviderSchemaError",
	"ProfileNotFound":      "ProfileNotFoundError",
	"ProviderNotFound":     "ProviderNotFoundError",
	"RefreshFailed":        "RefreshFailedError",
	"StoreUnavailable":     "StoreUnavailableError",
}

// Class is the name that the Python authsome had for the error. For an error that it did
// not have, it is the name of its general error.
func (v Verdict) Class() string {
	if class, ok := classes[v.Name]; ok {
		return class
	}
	return "AuthsomeError"
}
