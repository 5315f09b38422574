package auth_test

import (
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
)

func TestLoginRequiredDetail(t *testing.T) {
	at := time.Date(2026, 7, 1, 11, 30, 0, 0, time.FixedZone("", 2*60*60))
	for _, test := range []struct {
		err  auth.LoginRequiredError
		want string
	}{
		{auth.LoginRequiredError{Reason: auth.ReasonMissing}, "not connected"},
		{auth.LoginRequiredError{Reason: auth.ReasonMissing, Since: at}, "not connected"},
		{auth.LoginRequiredError{Reason: auth.ReasonExpired}, "expired"},
		{auth.LoginRequiredError{Reason: auth.ReasonExpired, Since: at}, "expired at 2026-07-01T09:30:00Z"},
		{auth.LoginRequiredError{Reason: auth.ReasonRevoked, Since: at}, "revoked at 2026-07-01T09:30:00Z"},
		{auth.LoginRequiredError{Reason: auth.ReasonInvalid}, "invalid"},
		{auth.LoginRequiredError{Reason: auth.ReasonInvalid, Since: at, Code: "invalid_grant"}, "invalid since 2026-07-01T09:30:00Z (invalid_grant)"},
		{auth.LoginRequiredError{Reason: auth.ReasonClient}, "its OAuth client was replaced"},
		{auth.LoginRequiredError{Reason: auth.ReasonClient, Since: at}, "its OAuth client was replaced, and its access token expired at 2026-07-01T09:30:00Z"},
		{auth.LoginRequiredError{Reason: auth.ReasonEndpoint, Since: at}, "its definition now has another token endpoint, and its access token expired at 2026-07-01T09:30:00Z"},
	} {
		if got := test.err.Detail(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	err := &auth.LoginRequiredError{Provider: "acme", Connection: "work", Reason: auth.ReasonExpired, Since: at}
	if want := "acme/work: login required: expired at 2026-07-01T09:30:00Z"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}
