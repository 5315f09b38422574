package auth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/authsome/authsome/auth"
)

// Members that a newer version or another program stored are kept.
func TestUnknownMembersAreKept(t *testing.T) {
	a := newAuth(t)
	ctx := t.Context()
	const key, renamed, metadata = "profile:default:acme:connection:x", "profile:default:acme:connection:z", "profile:default:acme:metadata"
	putRecord(t, a, key, `{"schema_version":3,"status":"connected","auth_type":"api_key","api_key":"k","host_url":"h","later":{"z":1,"a":[true]},"account":{"id":"1","mail":"m"}}`)
	putRecord(t, a, metadata, `{"schema_version":3,"default_connection":"x","last_used_connection":"x","metadata":{"color":"red"}}`)
	if _, err := a.Move(ctx, auth.Transfer{Provider: "acme", Connection: "x", To: a, As: "z"}); err != nil {
		t.Fatal(err)
	}
	want := `{"account":{"id":"1","mail":"m"},"api_key":"k","auth_type":"api_key","connection_name":"z","host_url":"h","later":{"a":[true],"z":1},"profile":"default","provider":"acme","schema_version":3,"status":"connected"}`
	if got := storedRecord(t, a, renamed); got != want {
		t.Errorf("record\n%s\nwant\n%s", got, want)
	}
	login(t, a, "acme", "y", "ak-y")
	if err := a.SetDefault(ctx, "acme", "y"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Logout(ctx, "acme", "z"); err != nil {
		t.Fatal(err)
	}
	want = `{"connection_names":["y"],"default_connection":"y","last_used_connection":"x","metadata":{"color":"red"},"profile":"default","provider":"acme","schema_version":3}`
	if got := storedRecord(t, a, metadata); !strings.Contains(got, `"connection_names":["y"]`) || !strings.Contains(got, `"last_used_connection":"x","metadata":{"color":"red"}`) ||
		!strings.Contains(got, `"schema_version":3`) || !strings.Contains(got, `"default_connection":"y"`) {
		t.Errorf("metadata\n%s\nwant\n%s", got, want)
	}
}

// An unreadable record does not affect other connections. Its error names it, and it can
// be replaced and deleted.
func TestUnreadableRecord(t *testing.T) {
	a := newAuth(t)
	ctx := t.Context()
	const key = "profile:default:acme:connection:old"
	login(t, a, "acme", "good", "ak-1")
	putRecord(t, a, key, `{"schema_version":1,"access_token":{"ciphertext":"canary"}}`)
	if err := a.Reload(ctx); err != nil {
		t.Errorf("Reload: %v", err)
	}
	wantApplied(t, a, "acme", "good", "Bearer ak-1")
	_, applyErr := apply(t, a, "acme", "old")
	_, listErr := a.Connections(ctx)
	for _, err := range []error{applyErr, listErr} {
		found, ok := auth.RecordKey(err)
		if !ok || found != key || strings.Contains(err.Error(), "canary") || isLoginRequired(err) {
			t.Errorf("error %v", err)
		}
	}
	_, err := a.Login(ctx, auth.LoginRequest{Provider: "acme", Connection: "old", Obtain: obtainKey("ak-2")})
	if !errors.Is(err, auth.ErrConnected) {
		t.Errorf("login over an unreadable record: %v", err)
	}
	if _, err := a.Login(ctx, auth.LoginRequest{Provider: "acme", Connection: "old", Obtain: obtainKey("ak-2"), Force: true}); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, a, "acme", "old", "Bearer ak-2")
	putRecord(t, a, key, `nonsense`)
	if _, err := a.Logout(ctx, "acme", "old"); err != nil {
		t.Errorf("logout of an unreadable record: %v", err)
	}
	wantConnections(t, a, "acme/good (default)")
}
