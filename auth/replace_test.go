package auth_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

const hosted = `{"schema_version":2,"name":"hosted","flows":["api_key"],"base_url":"https://hosted.test","hosts":["{base_url}"]}`

// Without Force a login replaces a connection that needs a login, or whose scopes
// differ, and never one to another address.
func TestLoginReplacesWithoutForce(t *testing.T) {
	p := newProfile(t)
	p.install(t, hosted)
	a := p.open(t)
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	token := func(c auth.Connection) auth.Connection {
		c.Provider, c.AuthType, c.AccessToken, c.Scopes = "oau", "oauth2", secret.New("t"), []string{"read", "write"}
		return c
	}
	key := func(c auth.Connection) auth.Connection {
		c.Provider, c.AuthType, c.APIKey = "hosted", "api_key", secret.New("ak-1")
		return c
	}
	for name, tt := range map[string]struct {
		stored   auth.Connection
		scopes   []string
		address  string // that is asked for
		obtained string // that the flow finds
		replaced bool
		other    string // address in the error
	}{
		"works":                             {stored: key(auth.Connection{})},
		"invalid":                           {stored: key(auth.Connection{Status: auth.StatusInvalid}), replaced: true},
		"revoked":                           {stored: key(auth.Connection{Status: auth.StatusRevoked}), replaced: true},
		"token works":                       {stored: token(auth.Connection{ExpiresAt: future})},
		"token expired":                     {stored: token(auth.Connection{ExpiresAt: past}), replaced: true},
		"token can be refreshed":            {stored: token(auth.Connection{ExpiresAt: past, RefreshToken: secret.New("r")})},
		"same scopes":                       {stored: token(auth.Connection{ExpiresAt: future}), scopes: []string{"write", "read", "read"}},
		"more scopes":                       {stored: token(auth.Connection{ExpiresAt: future}), scopes: []string{"write", "read", "admin"}, replaced: true},
		"no scopes":                         {stored: token(auth.Connection{ExpiresAt: future}), scopes: []string{}, replaced: true},
		"other address":                     {stored: key(auth.Connection{}), address: "https://own.test", other: "https://hosted.test"},
		"other address, invalid":            {stored: key(auth.Connection{Status: auth.StatusInvalid}), address: "https://own.test", other: "https://hosted.test"},
		"usual address":                     {stored: key(auth.Connection{BaseURL: "https://own.test"}), address: "https://hosted.test", other: "https://own.test"},
		"same address, invalid":             {stored: key(auth.Connection{BaseURL: "https://own.test", Status: auth.StatusInvalid}), address: "https://OWN.test:443/", replaced: true},
		"other address at the end, invalid": {stored: key(auth.Connection{Status: auth.StatusInvalid}), obtained: "https://own.test", other: "https://hosted.test"},
		"same address at the end, invalid":  {stored: key(auth.Connection{Status: auth.StatusInvalid}), obtained: "https://hosted.test/", replaced: true},
	} {
		t.Run(name, func(t *testing.T) {
			tt.stored.Name = name[:1] + "-connection"
			before, err := a.Store(t.Context(), tt.stored, true)
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Login(t.Context(), auth.LoginRequest{
				Provider: before.Provider, Connection: before.Name, BaseURL: tt.address, Scopes: tt.scopes,
				Obtain: func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
					o := flows.Obtained{Values: providers.Values{"api_key": secret.New("ak-2")}, Flow: providers.FlowAPIKey}
					if tt.obtained != "" {
						o.Values["base_url"] = secret.New(tt.obtained)
					}
					return o, nil
				},
			})
			refused, isRefused := errors.AsType[*auth.ConnectedError](err)
			if tt.replaced && err != nil || !tt.replaced && (!isRefused || refused.BaseURL != tt.other) {
				t.Errorf("error %v", err)
			}
			after, err := a.Connection(t.Context(), before.Provider, before.Name)
			if err != nil || (after.APIKey.Reveal() == "ak-2") != tt.replaced {
				t.Errorf("stored %q, %v", after.APIKey.Reveal(), err)
			}
		})
	}
}

// A connection that another login repairs in the meantime is not replaced.
func TestLoginDoesNotReplaceWhatItHasNotSeen(t *testing.T) {
	a := newAuth(t)
	if _, err := a.Store(t.Context(), auth.Connection{Provider: "acme", Name: "work", AuthType: "api_key", APIKey: secret.New("ak-old"), Status: auth.StatusInvalid}, false); err != nil {
		t.Fatal(err)
	}
	_, err := a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "work", Obtain: func(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
		if _, err := a.Login(ctx, auth.LoginRequest{Provider: "acme", Connection: "work", Obtain: obtainKey("ak-first")}); err != nil {
			return flows.Obtained{}, err
		}
		return obtainKey("ak-second")(ctx, d, known)
	}})
	if !errors.Is(err, auth.ErrConnected) {
		t.Errorf("error %v", err)
	}
	wantApplied(t, a, "acme", "work", "Bearer ak-first")
}
