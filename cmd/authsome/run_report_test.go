package main

import (
	"regexp"
	"strings"
	"testing"
)

// At the end of a run one line says how many requests got which credential, and warnings
// say which credential the service rejected or never got.
func TestRunReport(t *testing.T) {
	b, s := statusBench(t)
	b.more = nil
	b.run(goodKey, "login", "acme", "--key-stdin", "--no-verify")
	b.run(deadKey, "login", "acme", "--connection", "dead", "--key-stdin", "--no-verify")
	b.run(strings.Replace(statusDefinition("narrow", `,"paths":["/v1"]`), "api.narrow.test", s.host+"-narrow", 1), "register", "-", "--yes")
	b.run(goodKey, "login", "narrow", "--key-stdin", "--no-verify")
	narrow := []string{"--connect-to", s.host + "-narrow:443:" + s.addr}
	run := func(more []string, command string) (said string, code int) {
		t.Helper()
		args := append(append(append([]string{"run"}, s.flags()...), narrow...), more...)
		_, said, code = b.answer(append(args, "--", "sh", "-c", command)...)
		return said, code
	}
	const me, outside = "agent get https://api.acme.test/me; ", "agent get https://api.acme.test-narrow/v2; "
	for _, tt := range []struct {
		name    string
		more    []string
		command string
		code    int
		want    []string // regular expressions, one for each line
	}{
		{"works", nil, me + me, 0, []string{`authsome: sh: 2 requests with a credential \(acme\): authsome log --run [0-9a-f]{8}`}},
		{"fails for another reason", nil, me + "exit 3", 3, []string{`authsome: sh: 1 request with a credential \(acme\): .*`}},
		{"several", nil, me + me + "agent get http://api.acme.test/; agent get https://api.acme.test-narrow/v1; exit 9", 9, []string{
			`authsome: sh: 3 requests with a credential \(acme 2, narrow 1\), 1 refused \(https_required\): .*`}},
		{"rejected", []string{"--connection", "acme=dead"}, me, 0, []string{
			`authsome: sh: 1 request with a credential \(acme\): .*`,
			`authsome: warning: the service of acme/dead answered 401 \(unauthorized\), so the credential may not be valid any more; check it: authsome status acme`}},
		{"outside of the paths", nil, outside, 0, []string{
			`authsome: warning: 1 request to narrow got no credential \(path_outside\), so ACME_KEY was not used; which requests do: authsome inspect narrow`}},
		{"also inside", nil, outside + "agent get https://api.acme.test-narrow/v1", 0, []string{`authsome: sh: 1 request with a credential \(narrow\): .*`}},
		{"another key", nil, "agent get https://api.acme.test/me sk-own-1234567890; " + me, 0, []string{
			`authsome: sh: 2 requests with a credential \(acme\): .*`,
			`authsome: warning: 1 request of sh to acme had another key in place of the placeholder in ACME_KEY; ` +
				`authsome replaced it by the connection's credential, but sh can read it: authsome import --dotenv FILE --placeholders`}},
		{"a placeholder, too", nil, "agent get https://api.acme.test/me sk-own-1234567890; agent get https://api.acme.test/me $ACME_KEY", 0, []string{
			`authsome: sh: 2 requests with a credential \(acme\): .*`}},
		{"quiet", []string{"--quiet", "--connection", "acme=dead"}, me + outside, 0, nil},
	} {
		said, code := run(tt.more, tt.command)
		want := regexp.MustCompile("^" + strings.Join(append(tt.want, ""), "\n") + "$")
		if code != tt.code || !want.MatchString(said) {
			t.Errorf("%s: exit code %d, said\n%s", tt.name, code, said)
		}
	}
}
