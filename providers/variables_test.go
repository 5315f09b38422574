package providers

import (
	"fmt"
	"regexp"
	"testing"
)

// TestPlaceholdersMatchTheChecksOfClients covers two tools that check the characters of
// a token before they send it: https://github.com/vercel/vercel and
// https://github.com/supabase/cli.
func TestPlaceholdersMatchTheChecksOfClients(t *testing.T) {
	for name, expr := range map[string]string{"vercel": `^\w+$`, "supabase": `^sbp_(oauth_)?[a-f0-9]{40}$`} {
		d, err := bundledSet(t).Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range d.Variables() {
			if v.Secret && !regexp.MustCompile(expr).MatchString(v.Placeholder) {
				t.Errorf("%s: %s=%s does not match %s", name, v.Name, v.Placeholder, expr)
			}
		}
	}
}

func TestEnvironmentHasPlaceholdersForSecrets(t *testing.T) {
	d, err := Parse([]byte(`{"schema_version":2,"name":"sample","flows":["api_key"],"hosts":["{project}.sample.com"],"params":[{"name":"api_key","secret":true,"pattern":"ak-[0-9a-z-]{30,}"},{"name":"project"},{"name":"region","default":"eu"},{"name":"more","secret":true,"optional":true},{"name":"note","optional":true}],
		"env":[{"name":"A_KEY","value":"{api_key}"},{"name":"A_SHAPED_KEY","value":"{api_key}","placeholder":"ak-0000000000-{mark}"},{"name":"A_URL","value":"https://{project}.sample.com/{region}"},
			{"name":"A_DSN","value":"https://{api_key}@{project}.sample.com"},{"name":"A_MORE_KEY","value":"{more}"},{"name":"A_NAME","value":"{note}"},{"name":"A_ID","value":"x"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := d.Environment(values("api_key", "canary-secret", "project", "p"))
	want := map[string]string{
		"A_KEY": "ak-authsome-proxy-managed00000000", "A_SHAPED_KEY": "ak-0000000000-authsome-proxy-managed", "A_URL": "https://p.sample.com/eu",
		"A_DSN": "https://ak-authsome-proxy-managed00000000@p.sample.com", "A_ID": "x",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := d.Environment(values("more", "m", "note", "n"))["A_MORE_KEY"]; got != PlaceholderMark {
		t.Errorf("variable of an optional secret: %q", got)
	}
	if got, ok := d.Environment(nil)["A_URL"]; ok {
		t.Errorf("variable without a value: %q", got)
	}
	var fields []string
	for _, v := range d.Variables() {
		fields = append(fields, v.Field)
	}
	if fmt.Sprint(fields) != "[api_key api_key   more note ]" {
		t.Errorf("fields %q", fields)
	}
}
