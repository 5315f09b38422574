package remote

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A client chooses among what is listed: everything else is an error, and no value becomes
// another word of the command line.
func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		want        Call
	}{
		{"whoami", "", Call{Args: []string{"whoami"}}},
		{"whoami", "json=true&quiet=true&width=80", Call{Args: []string{"whoami", "--json=true", "--quiet=true"}, Flags: []string{"json", "quiet"}, Width: 80}},
		{"list", "text=--profile=x&connected=true&category=llm", Call{Args: []string{"list", "--category=llm", "--connected=true", "--", "--profile=x"}, Flags: []string{"category", "connected"}}},
		{"list", "text=", Call{Args: []string{"list", "--", ""}}},
		{"status", "provider=resend", Call{Args: []string{"status", "--", "resend"}}},
		{"why", "url=https%3A%2F%2Fa.test%2F%3Fb%3Dc%26d&provider=a&provider=b%3Dc&no_proxy=a,b", Call{
			Args: []string{"why", "--provider=a", "--provider=b=c", "--", "https://a.test/?b=c&d"}, Flags: []string{"provider"}, NoProxy: "a,b"}},
		{"why", "method=--profile", Call{Args: []string{"why", "--method=--profile"}, Flags: []string{"method"}}},

		{"login", "", Call{}}, {"doctor", "report=file", Call{}}, {"whoami", "profile=other", Call{}}, {"whoami", "home=/", Call{}},
		{"list", "log-file=x", Call{}}, {"list", "verbose=true", Call{}}, {"list", "no-color=true", Call{}}, {"list", "--json=true", Call{}},
		{"status", "text=x", Call{}}, {"whoami", "=x", Call{}}, {"whoami", "help=true", Call{}}, {"list", "provider=x", Call{}},
		{"list", "text=a&text=b", Call{}}, {"list", "json=true&json=true", Call{}}, {"why", "method=GET&method=PUT", Call{}},
		{"list", "text=a%0a", Call{}}, {"list", "text=%00", Call{}}, {"list", "text=%ff", Call{}}, {"list", "text=%1b%5b2J", Call{}}, {"list", "text=%", Call{}}, {"list", "text=a;b=c", Call{}},
		{"list", "width=0", Call{}}, {"list", "width=1001", Call{}}, {"list", "width=-1", Call{}}, {"list", "width=x", Call{}},
		{"list", "text=" + strings.Repeat("a", maxValue+1), Call{}}, {"why", strings.Repeat("provider=a&", maxValues+1), Call{}}, {"why", strings.Repeat("&", maxQuery+1), Call{}},
	} {
		got, err := parse(tt.name, tt.query)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != (tt.want.Args != nil) {
			t.Errorf("%s %.80q: %v (-want +got):\n%s", tt.name, tt.query, err, diff)
		}
	}
}

// Whatever a client sends, each word is a listed flag with its value, or follows --.
func FuzzParse(f *testing.F) {
	f.Add("why", "url=a&provider=b&json=true")
	f.Add("list", "text=--&connected=true&category=x")
	f.Fuzz(func(t *testing.T, name, query string) {
		c, err := parse(name, query)
		if err != nil {
			return
		}
		if c.Args[0] != name || !Serves(name) {
			t.Fatalf("%q", c.Args)
		}
		for i, word := range c.Args[1:] {
			if word == "--" {
				if len(c.Args) != i+3 {
					t.Fatalf("%q", c.Args)
				}
				return
			}
			flag, _, ok := strings.Cut(strings.TrimPrefix(word, "--"), "=")
			if listed := append(Flags(name), switches...); !ok || !strings.Contains(" "+strings.Join(listed, " ")+" ", " "+flag+" ") {
				t.Fatalf("%q", c.Args)
			}
		}
	})
}
