package providers

import (
	"encoding/base64"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authsome/authsome/secret"
)

func TestPresented(t *testing.T) {
	basic := func(user string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(user)) }
	const header = `"inject":[{"in":"header","name":"Authorization","value":"Bearer {api_key}"}],"remove":["header:X-Api-Key","query:token"]`
	for _, test := range []struct {
		inject, url, header, value string
		want                       Presented
	}{
		{header, "/", "Accept", "*/*", PresentedNothing},
		{header, "/", "Authorization", "", PresentedNothing},
		{header, "/", "Authorization", "Bearer ", PresentedNothing},
		{header, "/", "Authorization", "Bearer sk-" + PlaceholderMark, PresentedPlaceholder},
		{header, "/", "authorization", "Bearer " + wordMark, PresentedPlaceholder},
		{header, "/", "Authorization", basic("user:" + PlaceholderMark), PresentedPlaceholder},
		{header, "/", "Authorization", "Bearer sk-own", PresentedOwn},
		{header, "/", "Authorization", basic("user:own"), PresentedOwn},
		{header, "/", "X_Api-Key", "own", PresentedOwn},
		{header, "/?token=own", "Authorization", "Bearer " + PlaceholderMark, PresentedPlaceholder},
		{header, "/?a=1&token=own", "Accept", "*/*", PresentedOwn},
		{header, "/?token=&tokens=own", "Accept", "*/*", PresentedNothing},
		{`"inject":[{"in":"query","name":"key","value":"{api_key}"}]`, "/?k%65y=" + strings.Replace(PlaceholderMark, "a", "%61", 1), "Authorization", "Bearer own", PresentedPlaceholder},
		{`"inject":[{"in":"query","name":"key","value":"{api_key}"}]`, "/?key=own", "Accept", "*/*", PresentedOwn},
		{`"inject":[{"in":"path","prefix":"/bot/","value":"{api_key}"}]`, "/bot/" + PlaceholderMark + "/getMe", "Accept", "*/*", PresentedPlaceholder},
		{`"inject":[{"in":"path","prefix":"/bot/","value":"{api_key}"}]`, "/bot/own/getMe", "Accept", "*/*", PresentedOwn},
		{`"inject":[{"in":"header","name":"Version","value":"{api_key}"},{"in":"header","name":"X-Other","value":"1","if_absent":true}]`, "/", "X-Other", "2", PresentedNothing},
	} {
		d, err := Parse([]byte(`{"schema_version":2,"name":"example","flows":["api_key"],"hosts":["api.example.com"],` + test.inject + `}`))
		if err != nil {
			t.Fatal(err)
		}
		i, err := d.Injection(Credential{Values: Values{"api_key": secret.New("sk-real")}})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "https://api.example.com"+test.url, nil)
		r.Header[test.header] = []string{test.value}
		if got := i.Presented(r); got != test.want {
			t.Errorf("%s, %s, %s: %s: %d, want %d", test.inject, test.url, test.header, test.value, got, test.want)
		}
		if err := i.Apply(r); err != nil {
			t.Errorf("%s, %s: %v", test.inject, test.url, err)
		}
	}
}
