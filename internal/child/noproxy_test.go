package child

import (
	"slices"
	"strings"
	"testing"
)

func TestEntriesThatBypassTheProxyAreDropped(t *testing.T) {
	hosts := []string{"api.example.com", ".wild.test", "192.0.2.7", "2001:db8::7"}
	for _, tt := range []struct {
		inherited string
		dropped   bool
	}{
		{"*", true}, {"api.example.com", true}, {".example.com", true}, {"example.com", true}, {"*.example.com", true}, {"EXAMPLE.com", true}, {"com", true},
		{"api.example.com:443", true}, {"api.example.com.", true}, {"api.example.com.:443", true}, {".com", true}, {".", true},
		{"*ample.com", true}, {"ple.com", true}, // suffixes that do not begin at a label, for Node's fetch and for old requests
		{"wild.test", true}, {".wild.test", true}, {"*.wild.test", true}, {"a.wild.test", true}, {"*a.wild.test", true}, {"test", true},
		{"192.0.2.7", true}, {"192.0.2.0/24", true}, {"0.0.0.0/0", true}, {"192.0.2.7:443", true}, {"192.0.2.1-192.0.2.9", true}, {"192.0.2.*", false},
		{"2001:db8::7", true}, {"[2001:db8::7]", true}, {"[2001:db8::7]:443", true}, {"2001:db8::/32", true}, {"2001:DB8:0::7", true},
		{"other.example.com", false}, {"example.net", false}, {"xexample.com", false}, {"xapi.example.com", false}, {"api.example.com.attacker.test:1", false},
		{"10.0.0.0/8", false}, {"192.0.2.8-192.0.2.9", false}, {"2001:db9::/32", false}, {"internal", false}, {"wild.test.example.org", false}, {"host-with-dash", false},
	} {
		env, dropped := environment(t, Environment{Parent: []string{"NO_PROXY=" + tt.inherited}, Hosts: hosts})
		kept := slices.Contains(strings.Split(env["NO_PROXY"], ","), tt.inherited)
		if kept == tt.dropped || slices.Contains(dropped, Dropped{tt.inherited}) != tt.dropped {
			t.Errorf("%s: kept %v, dropped %v", tt.inherited, kept, dropped)
		}
		if env["NO_PROXY"] != env["no_proxy"] {
			t.Errorf("the two spellings differ: %q, %q", env["NO_PROXY"], env["no_proxy"])
		}
	}
}

func TestNoProxyListsAreMerged(t *testing.T) {
	env, dropped := environment(t, Environment{
		Parent: []string{"NO_PROXY=a,b,,api.example.com", "no_proxy=b c\td\nlocalhost api.example.com", "no_grpc_proxy=grpc.internal,example.com,api.example.com"},
		Hosts:  []string{"api.example.com"},
	})
	if got := env["NO_PROXY"]; got != "a,b,c,d,localhost,127.0.0.1,::1" {
		t.Errorf("merged to %s", got)
	}
	if got := env["no_grpc_proxy"]; got != "grpc.internal" {
		t.Errorf("for gRPC: %s", got)
	}
	if want := []Dropped{{"api.example.com"}, {"example.com"}}; !slices.Equal(dropped, want) {
		t.Errorf("dropped %v, want %v", dropped, want)
	}
	if s := dropped[0].String(); !strings.Contains(s, "api.example.com") {
		t.Errorf("the warning does not name the entry: %s", s)
	}
	if env, _ := environment(t, Environment{}); env["no_grpc_proxy"] != "" {
		t.Error("no_grpc_proxy is set although the parent has not set it: gRPC would ignore no_proxy")
	}
}

func TestBypasses(t *testing.T) {
	got := Bypasses("other.test, *\tExample.com,10.0.0.0/8", "api.example.com")
	if want := []string{"*", "Example.com"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
