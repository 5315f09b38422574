package loopback_test

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
)

func TestOutcomePage(t *testing.T) {
	for _, test := range []struct {
		name    string
		outcome loopback.Outcome
		want    []string
		not     []string
	}{
		{"success", loopback.Outcome{Connection: "work", Account: "kim@acme.test", Scopes: []string{"read:user", "repo"}, Hosts: []string{"api.acme.test"}, Next: "authsome run -- COMMAND"},
			[]string{"Acme is connected", `role="status"`, "kim@acme.test", "work", "read:user", "repo", "api.acme.test", `lang="en"`, "authsome run -- COMMAND"}, []string{"not connected"}},
		{"failure", loopback.Outcome{Problem: "the server refused", Server: `access_denied: <script>alert("x")</script>`, Next: "authsome login acme"},
			[]string{"Acme is not connected", "The server refused.", `role="alert"`, "Message from Acme", "&lt;script&gt;", "authsome login acme"}, []string{"<script", "is connected"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := listen(t, loopback.Redirect{})
			done := expect(t, s, flows.Authorization{URL: "https://acme.test/authorize", State: state})
			p := get(t, callbackURL(s, "code", code, "state", state))
			<-done
			at, _ := url.Parse(s.RedirectURI())
			address := "http://" + at.Host + p.header.Get("Location")
			shown := make(chan page, 1)
			go func() { shown <- get(t, address) }()
			s.Finish(t.Context(), test.outcome)
			p = <-shown
			if p.status != 200 {
				t.Errorf("status %d", p.status)
			}
			wantSecurityHeaders(t, test.name, p)
			for _, want := range test.want {
				if !strings.Contains(p.body, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, not := range append(test.not, code, state, "http://", "https://", "onload", "javascript") {
				if strings.Contains(p.body+address[len("http://"):], not) {
					t.Errorf("the page contains %q", not)
				}
			}
			s.Close()
			if c, err := net.Dial("tcp", at.Host); err == nil {
				c.Close()
				t.Error("the server still accepts connections after Close")
			}
		})
	}
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"the server refused":        "The server refused.",
		"été refused the key":       "Été refused the key.",
		"ключ отклонён":             "Ключ отклонён.",
		"日本 refused the key":        "日本 refused the key.",
		"\"quoted\" is not a value": "\"quoted\" is not a value.",
	} {
		if got := loopback.Sentence(text); got != want {
			t.Errorf("Sentence(%q) = %q, want %q", text, got, want)
		}
	}
}
