package pythonhome

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/ncruces/go-sqlite3"
)

// decrypt replaces real decryption: values are base64.
func decrypt(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

// newStore creates a database in the directory of a profile and leaves it open, like
// a running program.
func newStore(t *testing.T, journal string, rows map[string]string) (path string, db *sqlite3.Conn) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "profiles", "default")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "store.db")
	db, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	execute(t, db, "PRAGMA journal_mode="+journal+"; CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT)")
	for key, value := range rows {
		insert(t, db, key, value)
	}
	return path, db
}

func execute(t *testing.T, db *sqlite3.Conn, statement string) {
	t.Helper()
	if err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, db *sqlite3.Conn, key, value string) {
	t.Helper()
	execute(t, db, "INSERT INTO kv VALUES ('"+key+"', '"+base64.StdEncoding.EncodeToString([]byte(value))+"')")
}

// snapshot returns the mode, time and content of everything in dir, by path.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		all[path] = info.Mode().String() + info.ModTime().String()
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			all[path] += string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const apiKeyRecord = `{"auth_type":"api_key","api_key":"k"}`

// Records returns everything that the running Python program has committed. It changes
// nothing in its home and leaves no temporary files.
func TestRecordsDoesNotChangeTheHome(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE", "PERSIST"} {
		t.Run(journal, func(t *testing.T) {
			path, db := newStore(t, journal, map[string]string{
				"profile:default:resend:connection:default": apiKeyRecord,
				"profile:default:openai:connection:a:b":     apiKeyRecord,
				"profile:default:openai:client":             `{"client_id":"x","client_secret":null}`,
				"profile:default:openai:metadata":           `{"default_connection":"a:b"}`,
				"profile:default:openai:state":              `{}`,
				"profile:default:openai:other":              `{}`,
				"profile:default:openai:connection:":        apiKeyRecord,
				"global":                                    `{}`,
			})
			execute(t, db, "BEGIN; INSERT INTO kv VALUES ('profile:default:x:connection:uncommitted', 'e30=')")
			temporary := t.TempDir()
			t.Setenv("TMPDIR", temporary)
			dir := filepath.Dir(filepath.Dir(filepath.Dir(path)))
			before := snapshot(t, dir)
			stores, err := Stores(dir)
			if err != nil || len(stores) != 1 || stores[0] != path {
				t.Fatalf("stores %v, %v", stores, err)
			}
			records, err := Records(path, decrypt)
			if err != nil {
				t.Fatal(err)
			}
			if changed := cmp.Diff(before, snapshot(t, dir)); changed != "" {
				t.Errorf("changed: %s", changed)
			}
			if left, _ := os.ReadDir(temporary); len(left) > 0 {
				t.Errorf("not removed: %v", left)
			}
			var got []string
			for _, r := range records {
				got = append(got, strings.Join([]string{r.Profile, r.Provider, r.Kind, r.Name, r.Value.Reveal(), r.DefaultConnection()}, " "))
			}
			want := []string{
				`default openai client  {"client_id":"x"} `,
				`default openai connection a:b ` + `{"api_key":"k","auth_type":"api_key"} `,
				`default openai metadata  {"default_connection":"a:b"} a:b`,
				`default openai state  {} `,
				`default resend connection default {"api_key":"k","auth_type":"api_key"} `,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestErrorNamesAFileThatIsNotAVault(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"text": strings.Repeat("not a database ", 200), "empty": "", "head": "SQLite format 3\x00" + strings.Repeat("\xff", 4096)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if records, err := Records(path, decrypt); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, %v", name, records, err)
		}
	}
	if _, err := Records(filepath.Join(dir, "missing"), decrypt); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if stores, err := Stores(dir); len(stores) > 0 || err != nil {
		t.Errorf("no profiles: %v, %v", stores, err)
	}
}

func TestDefinitions(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "providers", "dir.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "providers", "acme.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := Definitions(dir)
	if err != nil || len(all) != 2 || all[0].Name != "acme" || string(all[0].Data) != "{}" || all[1].Err == nil {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestNormalize(t *testing.T) {
	connection := Record{Kind: Connection}
	for in, want := range map[string]string{
		`{"expires_at":"2026-01-02T03:04:05+02:00","account":null,"x":{"y":null}}`: `{"expires_at":"2026-01-02T01:04:05Z","x":{"y":null}}`,
		`{"expires_at":"2026-01-02T03:04:05.5"}`:                                   `{"expires_at":"2026-01-02T03:04:05.5Z"}`,
		`{"expires_at":"2026-01-02 03:04:05Z"}`:                                    `{"expires_at":"2026-01-02T03:04:05Z"}`,
		`{"obtained_at":1767323045.25}`:                                            `{"obtained_at":"2026-01-02T03:04:05.25Z"}`,
		`{"connection_type":"oauth2","api_url":"https://a"}`:                       `{"auth_type":"oauth2","base_url":"https://a"}`,
		`{"connection_type":"x","auth_type":"api_key"}`:                            `{"auth_type":"api_key","connection_type":"x"}`,
	} {
		if got, err := normalize(connection, []byte(in)); string(got) != want || err != nil {
			t.Errorf("%s\n got %s, %v\nwant %s", in, got, err, want)
		}
	}
	for _, in := range []string{`[]`, `null x`, `{"expires_at":"tomorrow-secret"}`, `{"expires_at":{}}`, `{"expires_at":1e30}`} {
		if got, err := normalize(connection, []byte(in)); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

// The result is an object with valid times, and normalizing it again does not change
// it.
func FuzzNormalize(f *testing.F) {
	f.Add([]byte(`{"expires_at":"2026-01-02 03:04:05.123456","api_key":"k","account":{"id":null}}`))
	f.Add([]byte(`{"obtained_at":-1.5,"connection_type":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := normalize(Record{Kind: Connection}, data)
		if err != nil {
			return
		}
		var members struct {
			ExpiresAt time.Time `json:"expires_at"`
		}
		if err := json.Unmarshal(once, &members); err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := normalize(Record{Kind: Connection}, once); err != nil || string(twice) != string(once) {
			t.Fatalf("%s\n%s\n%v", once, twice, err)
		}
	})
}
