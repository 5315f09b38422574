package signin

import (
	"testing"

	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// The hint does not repeat the value that a server refused. Where nobody can be asked for the
// secret of a client, it is a command that reads it.
func TestRepeatAfterRefusal(t *testing.T) {
	wrong := &flows.TokenError{Code: "invalid_client"}
	for _, tt := range []struct {
		asks    bool
		secret  string // client_secret in the definition
		o       Options
		want    string
		because error
	}{
		{true, "optional", Options{ClientID: "id"}, "authsome login acme --client-id id --reset", wrong},
		{false, "optional", Options{ClientID: "id"}, "authsome login acme --client-id id --reset --key-stdin < FILE", wrong},
		{false, "optional", Options{ClientID: "id", KeyStdin: true, Reset: true}, "authsome login acme --client-id id --reset --key-stdin < FILE", wrong},
		{false, "required", Options{ClientID: "id"}, "authsome login acme --client-id id --reset", wrong},
		{false, "optional", Options{}, "authsome login acme --reset", wrong},
		{true, "optional", Options{ClientID: "id"}, "authsome login acme --client-id ID --reset", &flows.AuthorizationError{Code: "unauthorized_client"}},
		{false, "optional", Options{ClientID: "id"}, "authsome login acme --client-id id", &flows.TokenError{Code: "invalid_grant"}},
		{true, "required", Options{}, "authsome login acme --redirect-url URL", &flows.AuthorizationError{Code: "redirect_uri_mismatch"}},
		{true, "required", Options{RedirectURL: "http://localhost:1/cb"}, "authsome login acme --redirect-url URL", &flows.TokenError{Code: "redirect_uri_mismatch"}},
	} {
		l := &Login{
			d: &providers.Definition{Name: "acme", OAuth: &providers.OAuth{ClientSecret: tt.secret}}, o: tt.o, given: make(map[string]givenValue),
			console: &console.Console{Getenv: func(string) string { return "" }},
		}
		if tt.o.ClientID != "" {
			l.given[valueClientID] = givenValue{secret.New(tt.o.ClientID), "--client-id"}
		}
		if tt.asks {
			l.terminal = &terminal.Terminal{}
		}
		if got := l.repeatAfter(tt.because).In(""); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
