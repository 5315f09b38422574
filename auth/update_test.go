package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
)

// What a later version, or another program, has put into a record stays.
func TestRewritingKeepsUnknownMembers(t *testing.T) {
	a := newAuth(t)
	ctx := t.Context()
	const key, metadata = "profile:default:acme:connection:x", "profile:default:acme:metadata"
	put(t, a, key, `{"schema_version":3,"status":"connected","auth_type":"api_key","api_key":"k","host_url":"h","later":{"z":1,"a":[true]},"account":{"id":"1","mail":"m"}}`)
	put(t, a, metadata, `{"schema_version":3,"default_connection":"x","last_used_connection":"x","metadata":{"color":"red"}}`)
	a.Now = func() time.Time { return time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC) }
	if err := a.SetStatus(ctx, "acme", "x", auth.StatusInvalid); err != nil {
		t.Fatal(err)
	}
	want := `{"account":{"id":"1","mail":"m"},"api_key":"k","auth_type":"api_key","connection_name":"x","host_url":"h","later":{"a":[true],"z":1},"profile":"default","provider":"acme","schema_version":3,"status":"invalid","status_since":"2026-07-01T00:00:00Z"}`
	if got := raw(t, a, key); got != want {
		t.Errorf("record\n%s\nwant\n%s", got, want)
	}
	login(t, a, "acme", "y", "ak-y")
	if err := a.SetDefault(ctx, "acme", "y"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Logout(ctx, "acme", "x"); err != nil {
		t.Fatal(err)
	}
	want = `{"connection_names":["y"],"default_connection":"y","last_used_connection":"x","metadata":{"color":"red"},"profile":"default","provider":"acme","schema_version":3}`
	if got := raw(t, a, metadata); !strings.Contains(got, `"connection_names":["y"]`) || !strings.Contains(got, `"last_used_connection":"x","metadata":{"color":"red"}`) ||
		!strings.Contains(got, `"schema_version":3`) || !strings.Contains(got, `"default_connection":"y"`) {
		t.Errorf("metadata\n%s\nwant\n%s", got, want)
	}
}

// A record that cannot be read fails for itself and by name, can be replaced and
// can be deleted.
func TestUnreadableRecord(t *testing.T) {
	a := newAuth(t)
	ctx := t.Context()
	const key = "profile:default:acme:connection:old"
	login(t, a, "acme", "good", "ak-1")
	put(t, a, key, `{"schema_version":1,"access_token":{"ciphertext":"canary"}}`)
	if err := a.Reload(ctx); err != nil {
		t.Errorf("Reload: %v", err)
	}
	wantApplied(t, a, "acme", "good", "Bearer ak-1")
	_, applyErr := apply(t, a, "acme", "old")
	_, listErr := a.Connections(ctx)
	for _, err := range []error{applyErr, listErr} {
		wrong, ok := errors.AsType[*auth.RecordError](err)
		if !ok || wrong.Key != key || strings.Contains(err.Error(), "canary") || errors.Is(err, auth.ErrLoginRequired) {
			t.Errorf("error %v", err)
		}
	}
	_, err := a.Login(ctx, auth.LoginRequest{Provider: "acme", Connection: "old", Obtain: given("ak-2")})
	if !errors.Is(err, auth.ErrConnected) {
		t.Errorf("login over an unreadable record: %v", err)
	}
	if _, err := a.Login(ctx, auth.LoginRequest{Provider: "acme", Connection: "old", Obtain: given("ak-2"), Force: true}); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, a, "acme", "old", "Bearer ak-2")
	put(t, a, key, `nonsense`)
	if _, err := a.Logout(ctx, "acme", "old"); err != nil {
		t.Errorf("logout of an unreadable record: %v", err)
	}
	wantNames(t, a, "acme/good (default)")
}
