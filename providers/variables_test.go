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
	d := define(t, `,"params":[{"name":"api_key","secret":true,"pattern":"ak-[0-9a-z-]{30,}"},{"name":"project"},{"name":"region","default":"eu"},{"name":"more","secret":true,"optional":true},{"name":"note","optional":true}],
		"env":[{"name":"KEY","value":"{api_key}"},{"name":"SHAPED","value":"{api_key}","placeholder":"ak-0000000000-{mark}"},{"name":"URL","value":"https://{project}.sample.com/{region}"},
			{"name":"DSN","value":"https://{api_key}@{project}.sample.com"},{"name":"MORE","value":"{more}"},{"name":"NOTE","value":"{note}"},{"name":"FIXED","value":"x"}]`)
	got := d.Environment(values("api_key", "canary-secret", "project", "p"))
	want := map[string]string{
		"KEY": "ak-authsome-proxy-managed00000000", "SHAPED": "ak-0000000000-authsome-proxy-managed", "URL": "https://p.sample.com/eu",
		"DSN": "https://ak-authsome-proxy-managed00000000@p.sample.com", "FIXED": "x",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := d.Environment(values("more", "m", "note", "n"))["MORE"]; got != PlaceholderMark {
		t.Errorf("variable of an optional secret: %q", got)
	}
	if got, ok := d.Environment(nil)["URL"]; ok {
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
