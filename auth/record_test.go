package auth

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

func canonical(tb testing.TB, v jsontext.Value) string {
	tb.Helper()
	v = v.Clone()
	if err := v.Canonicalize(); err != nil {
		tb.Fatalf("%v: %s", err, v)
	}
	return string(v)
}

func TestRecordRoundTrip(t *testing.T) {
	const record = `{"access_token":"t","account":{"avatar":"a","id":"1","label":"me"},"api_key":"k","auth_type":"oauth2","base_url":"https://x.test",` +
		`"client_id":"c","connection_name":"work","expires_at":"2026-07-01T00:00:00.25Z","fields":{"secret":"f"},"flow":"pkce","issuer":"https://i.test","later":{"a":[1,{"b":null}]},` +
		`"metadata":{"note":"n"},"obtained_at":"2026-06-01T00:00:00Z","params":{"shop":"s"},"profile":"default","provider":"acme","refresh_attempts":1,"refresh_expires_at":"2027-01-01T00:00:00Z",` +
		`"refresh_started":"2026-06-30T00:00:00Z","refresh_token":"r","revocation_url":"https://i.test/revoke","schema_version":7,"scopes":["a","b"],"status":"connected","status_code":"x","status_since":"2026-06-30T00:00:00Z","token_endpoint":"https://i.test/token","token_type":"Bearer"}`
	c, err := parseConnection("k", "acme", "work", []byte(record))
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.record("default")
	if err != nil {
		t.Fatal(err)
	}
	if got := canonical(t, data); got != record {
		t.Errorf("wrote\n%s\nwant\n%s", got, record)
	}
}

// FuzzRecord checks that a record which can be read is written again with all its
// members: those that this version knows with the same meaning, the others unchanged.
func FuzzRecord(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"status":"connected","api_key":"k","x":1}`, `{"x":{"y":[1,2,{"z":"\u00e9"}]},"access_token":"a"}`, `{"account":{"id":null,"z":1}}`,
		`{"expires_at":"2026-07-01T02:00:00+02:00"}`, `{"fields":{"a":"b"},"params":{},"scopes":[]}`, `{"metadata":{"a":1}}`, `{"a":1,"a":2}`, `{"schema_version":3}`,
		`{"host_url":"https://api.github.com","scopes":null}`, `[]`, `{"obtained_at":"0001-01-01T00:00:00Z"}`, "{\"\u2028\":\"\x7f\"}", `{"Status":"x"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConnection("key", "acme", "work", data)
		if err != nil {
			if _, ok := errors.AsType[*recordError](err); !ok {
				t.Errorf("error %v", err)
			}
			return
		}
		written, err := c.record("default")
		if err != nil {
			t.Fatalf("a record that was read cannot be written: %v", err)
		}
		again, err := parseConnection("key", "acme", "work", written)
		if err != nil {
			t.Fatalf("a record that was written cannot be read: %v", err)
		}
		twice, err := again.record("default")
		if err != nil || !bytes.Equal(written, twice) {
			t.Fatalf("wrote %s, then %s, %v", written, twice, err)
		}
		var before, after map[string]jsontext.Value
		if err := json.Unmarshal(data, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &after); err != nil {
			t.Fatal(err)
		}
		for name, value := range before {
			switch name {
			case "schema_version", "provider", "profile", "connection_name", "auth_type", "status": // always written
				continue
			case "expires_at", "refresh_expires_at", "refresh_started", "obtained_at", "status_since", "account", "metadata":
				continue
			}
			kept, ok := after[name]
			known := strings.Contains(" base_url params scopes access_token refresh_token token_type issuer client_id api_key fields flow status_code token_endpoint revocation_url refresh_attempts ", " "+name+" ")
			if !ok && known && (string(value) == "null" || string(value) == `""` || string(value) == "0") {
				continue // absent means the same
			}
			if !ok || canonical(t, kept) != canonical(t, value) {
				t.Errorf("%q changed from %s to %s", name, value, kept)
			}
		}
	})
}

func TestRecordErrorsContainNoValues(t *testing.T) {
	for _, record := range []string{
		`{"api_key":["canary"]}`, `{"access_token":{"enc":"canary"}}`, `{"expires_at":"canary"}`, `{"scopes":"canary"}`, `{"api_key":"canary"`, `canary`,
		`{"api_key":"canary","api_key":"canary"}`, "{\"api_key\":\"canary\xff\"}", `{"fields":{"a":1,"b":"canary"}}`, `{"schema_version":"canary"}`, ``,
	} {
		_, err := parseConnection("profile:default:acme:connection:x", "acme", "x", []byte(record))
		wrong, ok := errors.AsType[*recordError](err)
		if !ok || wrong.key != "profile:default:acme:connection:x" || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: error %v", record, err)
		}
	}
}

// A load that began before the cache was dropped must not cache what it read.
func TestLateLoadIsNotCached(t *testing.T) {
	a := &Auth{}
	x := target{"acme", "x"}
	a.addEntry(0, x, &entry{target: x})
	if a.cached().entries[x] == nil {
		t.Fatal("the entry is not cached")
	}
	epoch := a.cached().epoch
	a.dropCache()
	a.addEntry(epoch, x, &entry{target: x})
	if a.cached().entries[x] != nil {
		t.Error("a stale entry is cached")
	}
	a.addEntry(a.cached().epoch, x, &entry{target: x})
	if a.cached().entries[x] == nil {
		t.Error("a fresh entry is not cached")
	}
	b := &Auth{}
	b.addEntry(1, x, &entry{target: x})
	if b.cached().entries[x] != nil {
		t.Error("an entry of another epoch is cached")
	}
}
