package doctor

import (
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
)

func TestRedact(t *testing.T) {
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := newRedactor(set.All())
	r.hide([]string{"re_0123456789", "p@ss/word"})
	r.rename("/home/ann/.authsome", "<home>")
	r.rename("/home/ann", "~")
	r.rename("ann", "<user>")
	r.rename("work", "<connection-1>")
	r.rename("x", "<never>")
	for _, tt := range []struct{ text, want string }{
		{"the vault was read in 21ms", "the vault was read in 21ms"},
		{"/home/ann/.authsome/config.json: invalid JSON", "<home>/config.json: invalid JSON"},
		{"/home/ann/x and annex", "~/x and annex"},
		{"resend/work, user ann, x", "resend/<connection-1>, user <user>, x"},
		{"requests to api.openai.com are refused", "requests to api.openai.com are refused"},
		{"requests to git.acme.example are refused", "requests to <host-1> are refused"},
		{"connect to GIT.acme.example:8443: refused", "connect to <host-1>:8443: refused"},
		{"tenant7.zendesk.com", "*.zendesk.com"},
		{"https://me:secret@git.acme.example/a/b?c=d", "https://<host-1>/…"},
		{"get https://api.github.com/repos/ann/private", "get https://api.github.com/…"},
		{"HTTPS_PROXY=http://127.0.0.1:3128", "HTTPS_PROXY=http://127.0.0.1:3128"},
		{"http://10.1.2.3:3128 and [fd00::7]:80, ::1", "http://<address-1>:3128 and [<address-2>]:80, ::1"},
		{`host=intra port=443 err="dial tcp 10.1.2.3:443: refused"`, `host=<host-2> port=443 err="dial tcp <address-1>:443: refused"`},
		{"mail to ann.smith@acme.example now", "mail to <email> now"},
		{"key re_0123456789, then p%40ss%2Fword", "key <secret>, then <secret>"},
		{"Authorization: Basic dXNlcjpwYXNz", "Authorization: <redacted>"},
		{"password=hunter2 x", "password=<redacted> x"},
		{"saw eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0", "saw <token>.<token>"},
		{"NODE_EXTRA_CA_CERTS names audit.log:12 and install.sh", "NODE_EXTRA_CA_CERTS names audit.log:12 and install.sh"},
		{"2026-11-30T00:29:59Z", "2026-11-30T00:29:59Z"},
		{"https://proxy.authsome.invalid/", "https://proxy.authsome.invalid"},
	} {
		if got := r.text(tt.text); got != tt.want {
			t.Errorf("%q became\n%q, want\n%q", tt.text, got, tt.want)
		}
	}
}

// A secret is found in whatever text it is.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{"a.b.com:80 x@y.test https://u:p@h/x", "host=\"a b\" ::1 [", "key=", "://", "<host-1>", "\xff\x00a.com", "ann@ann.ann"} {
		f.Add(s)
	}
	const secret = "sk-canary_0123456789"
	f.Fuzz(func(t *testing.T, s string) {
		r := newRedactor(nil)
		r.hide([]string{secret})
		r.rename("ann", "<user>")
		if got := r.text(s + " " + secret + s); strings.Contains(got, secret) {
			t.Errorf("%q", got)
		}
	})
}

// In the list of files, names that authsome gave stay even if a connection or a profile has
// the same name.
func TestRedactFiles(t *testing.T) {
	r := newRedactor(nil)
	for _, name := range []string{"log", "vault", "work", "json", "lock"} {
		r.renameAs("name", name)
	}
	for path, want := range map[string]string{
		"audit.log":                                    "audit.log",
		"audit-20261130T051200.123Z.log":               "audit-20261130T051200.123Z.log",
		"logs/authsome.log.1":                          "logs/authsome.log.1",
		"profiles/vault/vault.json":                    "profiles/<name-2>/vault.json",
		"profiles/default/vault/000001.sst":            "profiles/default/vault/000001.sst",
		"profiles/default/locks/0123456789abcdef.lock": "profiles/default/locks/0123456789abcdef.lock",
		"profiles/default/rejected/openai=work.json":   "profiles/default/rejected/openai=<name-3>.<name-4>",
		"providers/work.txt":                           "providers/<name-3>.txt",
		"notes-work.txt":                               "notes-<name-3>.txt",
	} {
		if got := r.file(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
