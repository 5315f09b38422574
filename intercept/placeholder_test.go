package intercept

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// A placeholder is never sent upstream, wherever it is in the request.
func TestPlaceholderIsNotSent(t *testing.T) {
	d := definition(t, "https://"+routedHost+"/api/")
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
	mark := providers.PlaceholderMark
	for _, tt := range []struct{ path, header, value string }{
		{"/outside", "Authorization", "Bearer " + mark},
		{"/outside", "Authorization", "Bearer authsome_proxy_managed"},
		{"/outside", "Authorization", "Bearer sbp_61757468736f6d652d70726f78792d6d616e6167"},
		{"/outside?key=" + mark, "X", ""},
		{"/outside?a=%zz&key=" + strings.Replace(mark, "a", "%61", 1), "X", ""},
		{"/outside/bot" + mark + "/x", "X", ""},
		{"/outside?key=" + url.QueryEscape(strings.Replace(mark, "a", "%61", 1)), "X", mark},
		{"/api/x", "X-Api-Key", "sk-" + mark},
		{"/outside", "Authorization", "Basic " + basic(mark+":")},
	} {
		response, body := get(t, r.client(), "https://"+routedHost+tt.path, tt.header, tt.value)
		if response.StatusCode != 403 || response.Header.Get(errorHeader) != string(CodePlaceholder) {
			t.Errorf("%v: %d %q", tt, response.StatusCode, body)
		}
	}
	if len(r.requests()) > 0 {
		t.Errorf("the upstream saw %d requests", len(r.requests()))
	}
}

// slots returns a provider that takes its credential in every place at once.
func slots(t *testing.T) (*providers.Definition, *providers.Injection) {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":2,"name":"example","flows":["api_key"],"hosts":[%q],"paths":["/bot"],"methods":["GET"],
		"inject":[{"in":"header","name":"X-Key","value":"{api_key}"},{"in":"basic","username":"{api_key}"},{"in":"query","name":"key","value":"{api_key}"},
			{"in":"path","prefix":"/bot/","value":"{api_key}"}]}`, routedHost))
	if err != nil {
		t.Fatal(err)
	}
	injection, err := d.Injection(providers.Credential{Values: providers.Values{"api_key": secret.New(realKey)}})
	if err != nil {
		t.Fatal(err)
	}
	return d, injection
}

// Servers that redirect keep the query, and use it in the URL of the next page. The
// client gets a placeholder in such URLs, and its next request gets the credential.
func TestURLsInResponsesHaveNoCredential(t *testing.T) {
	d, injection := slots(t)
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) {
		r.Routes = func() *routing.Table { return routes }
		r.Credentials = key{injection}
	})
	var asked []string
	r.handler = func(w http.ResponseWriter, q *http.Request) {
		asked = append(asked, q.URL.String())
		w.Header()["Link"] = []string{"<" + q.URL.String() + `&page=2>; rel="next"`, "</plain>"}
		w.Header().Set("Content-Location", strings.ToLower(q.URL.String()))
		w.Header().Set("X-Echo", q.URL.String())
		if len(asked) == 1 {
			w.Header().Set("Location", strings.Replace(q.URL.String(), "/getMe", "/getMe/", 1))
			w.WriteHeader(http.StatusFound)
		}
	}
	client := r.client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	path := "/bot/placeholder/getMe?key=x&a=1"
	for range 2 {
		response, _ := get(t, client, "https://"+routedHost+path)
		for _, name := range []string{"Location", "Link"} {
			if text := strings.Join(response.Header[name], " "); strings.Contains(text, realKey) {
				t.Errorf("%s: %s", name, text)
			}
		}
		if next := response.Header.Get("Location"); next != "" {
			path = next
		}
	}
	if want := "/bot/" + realKey + "/getMe/?key=" + realKey + "&a=1"; len(asked) != 2 || asked[1] != want {
		t.Errorf("asked for %q, want %s in the second request", asked, want)
	}
}

// A placeholder is replaced where a credential belongs, and refused elsewhere. A
// method that the definition does not list gets no credential.
func TestPlaceholderIsReplacedWhereACredentialBelongs(t *testing.T) {
	d, injection := slots(t)
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) {
		r.Routes = func() *routing.Table { return routes }
		r.Credentials = key{injection}
	})
	mark := providers.PlaceholderMark
	send := func(method, target string, header ...string) *http.Response {
		t.Helper()
		head := method + " " + target + " HTTP/1.1\r\nHost: " + routedHost + "\r\n"
		for i := 0; i < len(header); i += 2 {
			head += header[i] + ": " + header[i+1] + "\r\n"
		}
		response, _ := exchange(t, r.inside(), head+"\r\n")
		return response
	}
	response := send("GET", "/bot/"+mark+"/getMe?a=1&k%65y="+mark+"&b=%2F", "x-key", mark, "Authorization", "Basic "+basic(mark+":"))
	if response.StatusCode != 200 {
		t.Fatalf("status %d", response.StatusCode)
	}
	got := r.requests()[0]
	if got.RequestURI != "/bot/"+realKey+"/getMe?a=1&key="+realKey+"&b=%2F" || got.Header.Get("X-Key") != realKey || got.Header.Get("Authorization") != "Basic "+basic(realKey+":") {
		t.Errorf("the upstream saw %s %v", got.RequestURI, got.Header)
	}
	if x := r.next(); !x.Injected || x.Path != "/bot/"+secret.Redacted+"/getMe" {
		t.Errorf("recorded %+v", x)
	}
	statusOf := map[Code]int{CodeBadRequest: 400, CodePlaceholder: 403}
	for _, refused := range []struct {
		method, target string
		header         []string
		code           Code
	}{
		{"GET", "/bot/x/getMe?a=1;key=x", nil, CodeBadRequest}, // servers read it in different ways
		{"GET", "/bot/x/getMe", []string{"Other", mark}, CodePlaceholder},
		{"GET", "/bot/x/" + mark, nil, CodePlaceholder},
		{"GET", "/bot/x/getMe?other=" + mark, nil, CodePlaceholder},
		{"GET", "/bot", []string{"X-Key", mark}, CodeBadRequest}, // the path has no place for it
		{"POST", "/bot/x/getMe", []string{"X-Key", mark}, CodePlaceholder},
	} {
		if response := send(refused.method, refused.target, refused.header...); response.StatusCode != statusOf[refused.code] || response.Header.Get(errorHeader) != string(refused.code) {
			t.Errorf("%s %s: %d %s", refused.method, refused.target, response.StatusCode, response.Header.Get(errorHeader))
		}
		r.next()
	}
	if response := send("DELETE", "/bot/x/getMe", "X-Key", "the client's"); response.StatusCode != 200 {
		t.Errorf("a method that is not listed: %d", response.StatusCode)
	}
	if x := r.next(); x.Injected || x.Reason != routing.MethodOutside {
		t.Errorf("recorded %+v", x)
	}
	if seen := r.requests(); len(seen) != 2 || seen[1].Header.Get("X-Key") != "the client's" {
		t.Errorf("the upstream saw %d requests", len(seen))
	}
}

// basic encodes USER:PASSWORD as Basic credentials do.
func basic(s string) string {
	q, _ := http.NewRequest("GET", "/", nil)
	user, password, _ := strings.Cut(s, ":")
	q.SetBasicAuth(user, password)
	return strings.TrimPrefix(q.Header.Get("Authorization"), "Basic ")
}
