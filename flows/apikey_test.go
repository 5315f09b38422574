package flows_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

func definition(tb testing.TB, apiKey string) *providers.Definition {
	tb.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":1,"name":"acme","display_name":"Acme","auth_type":"api_key","flow":"api_key",
		"host_url":"https://api.acme.test","api_key":%s,"export":{"env":{"api_key":"ACME_TOKEN"}}}`, apiKey))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func given(key string) flows.KeySource {
	return func(context.Context) (secret.String, error) { return secret.New(key), nil }
}

func TestAPIKey(t *testing.T) {
	plain := definition(t, `{}`)
	shaped := definition(t, `{"key_pattern":"ak-[0-9a-f]{8}","key_pattern_hint":"ak- and eight digits"}`)
	long := strings.Repeat("k", flows.MaxKeyLen)
	for _, test := range []struct {
		name    string
		d       *providers.Definition
		entered string
		want    string // "" is an error
	}{
		{"plain", plain, "k-1", "k-1"},
		{"newline of a pipe", plain, "k-1\n", "k-1"},
		{"white space around", plain, " \t\r\n\u00a0k-1\u2003\r\n", "k-1"},
		{"space inside is the key's", plain, "user name:pass word", "user name:pass word"},
		{"case and punctuation stay", plain, `"K-1+/=`, `"K-1+/=`},
		{"longest", plain, " " + long + "\n", long},
		{"shaped", shaped, "ak-0123abcd", "ak-0123abcd"},
		{"empty", plain, "", ""},
		{"white space only", plain, " \n\t ", ""},
		{"newline inside", plain, "k-1\nk-2", ""},
		{"carriage return inside", plain, "k-1\rX-Evil: 1", ""},
		{"tab inside", plain, "k\t1", ""},
		{"NUL", plain, "k\x001", ""},
		{"DEL", plain, "k\x7f1", ""},
		{"C1 control", plain, "k\u009b1", ""},
		{"zero-width space", plain, "k-1\u200b", ""},
		{"byte order mark", plain, "\ufeffk-1", ""},
		{"not UTF-8", plain, "k\xff1", ""},
		{"too long", plain, long + "k", ""},
		{"wrong shape", shaped, "canary-0123abcd", ""},
		{"shape inside something longer", shaped, "xak-0123abcdx", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := flows.APIKey(t.Context(), test.d, given(test.entered))
			if got := c.Values["api_key"].Reveal(); got != test.want {
				t.Errorf("key %q, want %q", got, test.want)
			}
			if (err == nil) != (test.want != "") {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				return
			}
			wrong, ok := errors.AsType[*flows.KeyError](err)
			if !ok || wrong.Provider != "acme" {
				t.Errorf("error %v is not a KeyError for acme", err)
			}
			if empty := strings.TrimSpace(test.entered) == ""; errors.Is(err, flows.ErrNoKey) != empty {
				t.Errorf("ErrNoKey is %t for %q", !empty, test.entered)
			}
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
				if part := strings.TrimSpace(test.entered); len(part) > 1 && (strings.Contains(text, part) || strings.Contains(text, "canary")) {
					t.Errorf("the error repeats what was entered: %s", text)
				}
			}
		})
	}
}

func TestAPIKeyNeedsAKeyProvider(t *testing.T) {
	d, err := providers.Parse([]byte(`{"schema_version":1,"name":"acme","display_name":"Acme","auth_type":"oauth2","flow":"pkce","host_url":"https://api.acme.test",
		"oauth":{"authorization_url":"https://acme.test/authorize","token_url":"https://acme.test/token"}}`))
	if err != nil {
		t.Fatal(err)
	}
	asked := false
	_, err = flows.APIKey(t.Context(), d, func(context.Context) (secret.String, error) {
		asked = true
		return secret.New("k"), nil
	})
	if !errors.Is(err, flows.ErrNotAPIKey) || asked {
		t.Errorf("error %v, asked %t", err, asked)
	}
}

func TestSourceErrorsAreReturned(t *testing.T) {
	cancelled := errors.New("the prompt was cancelled")
	_, err := flows.APIKey(t.Context(), definition(t, `{}`), func(context.Context) (secret.String, error) { return secret.New("k"), cancelled })
	if !errors.Is(err, cancelled) {
		t.Errorf("error %v", err)
	}
}

func TestKeyFromEnvironment(t *testing.T) {
	d := definition(t, `{"env_var":"ACME_API_KEY"}`)
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"ACME_API_KEY": "first", "ACME_TOKEN": "second"}, "first"},
		{map[string]string{"ACME_TOKEN": "second"}, "second"},
		{map[string]string{"ACME_API_KEY": "", "OTHER": "x"}, ""},
	} {
		key, err := flows.KeyFromEnvironment(d, func(name string) string { return test.env[name] })(t.Context())
		if key.Reveal() != test.want || errors.Is(err, flows.ErrNoKey) != (test.want == "") {
			t.Errorf("%v: key %q, error %v", test.env, key.Reveal(), err)
		}
		if err != nil && !strings.Contains(err.Error(), "ACME_API_KEY or ACME_TOKEN") {
			t.Errorf("error %v does not name the variables", err)
		}
	}
}

func TestKeyFromReader(t *testing.T) {
	longest := strings.Repeat("k", flows.MaxKeyLen)
	broken := errors.New("broken pipe")
	for _, test := range []struct {
		name string
		r    io.Reader
		want string
		err  error // nil with an empty key is any error
	}{
		{"line", strings.NewReader("k-1\n"), "k-1\n", nil},
		{"longest", strings.NewReader(longest + "\n"), longest + "\n", nil},
		{"empty", strings.NewReader(""), "", flows.ErrNoKey},
		{"white space", strings.NewReader("\n \n"), "", flows.ErrNoKey},
		{"too long behind white space", strings.NewReader(strings.Repeat(" ", 1024) + longest + "k"), "", nil},
		{"endless", zeros{}, "", nil},
		{"broken", io.MultiReader(strings.NewReader("k"), iotest.ErrReader(broken)), "", broken},
	} {
		key, err := flows.KeyFromReader(test.r)(t.Context())
		if key.Reveal() != test.want || (err == nil) != (test.want != "") || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: key of %d bytes, error %v", test.name, len(key.Reveal()), err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, strings.Repeat("0", len(p))), nil }

func TestFirstKey(t *testing.T) {
	none := func(context.Context) (secret.String, error) {
		return secret.String{}, fmt.Errorf("X is not set: %w", flows.ErrNoKey)
	}
	broken := errors.New("no terminal")
	fails := func(context.Context) (secret.String, error) { return secret.String{}, broken }
	for _, test := range []struct {
		sources []flows.KeySource
		want    string
		err     error
	}{
		{[]flows.KeySource{none, given("a"), given("b")}, "a", nil},
		{[]flows.KeySource{none, none}, "", flows.ErrNoKey},
		{[]flows.KeySource{fails, given("a")}, "", broken},
		{nil, "", flows.ErrNoKey},
	} {
		key, err := flows.FirstKey(test.sources...)(t.Context())
		if key.Reveal() != test.want || !errors.Is(err, test.err) {
			t.Errorf("key %q, error %v; want %q, %v", key.Reveal(), err, test.want, test.err)
		}
	}
}
