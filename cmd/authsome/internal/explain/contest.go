package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/routing"
)

// Contest is what the same connections share, and which of them serves it.
type Contest struct {
	routing.Shared          // of the first host
	Hosts          []string // for people: with their ports, if not 443, and paths
	Keys           []string // as [routing.Shared.Host]

	all []Contest // of the table
}

// Contests returns what several connections of a table match equally well.
func Contests(t *routing.Table) []Contest {
	var all []Contest
	for _, s := range t.Shared() {
		host := s.Host + s.Path
		if s.Port != 443 {
			host = s.Host + ":" + strconv.Itoa(s.Port) + s.Path
		}
		same := func(c Contest) bool {
			return c.Server == s.Server && slices.Equal(c.Among, s.Among) && slices.Equal(c.Choices, s.Choices)
		}
		if i := slices.IndexFunc(all, same); i >= 0 {
			all[i].Hosts, all[i].Keys = append(all[i].Hosts, host), append(all[i].Keys, s.Host)
			continue
		}
		all = append(all, Contest{Shared: s, Hosts: []string{host}, Keys: []string{s.Host}})
	}
	for i := range all {
		all[i].all = all
	}
	return all
}

// Ambiguous reports whether the requests are refused, because nothing says which of the
// connections serves them.
func (c Contest) Ambiguous() bool { return c.Server == routing.Choice{} }

// Notable reports whether a person should know about it. Of the connections of one
// provider, people expect the default one to serve.
func (c Contest) Notable() bool {
	other := func(a routing.Choice) bool { return a.Provider != c.Among[0].Provider }
	return c.Ambiguous() || !c.Default || slices.ContainsFunc(c.Among, other)
}

// String says who serves the requests.
func (c Contest) String() string {
	if c.Ambiguous() {
		return fmt.Sprintf("requests to %s are refused, because several connections match: %s", c.places(), strings.Join(c.Choices, ", "))
	}
	others := Names(c.Others(c.Server))
	verb := "cover"
	if len(others) == 1 {
		verb = "covers"
	}
	return fmt.Sprintf("%s serves %s, which %s also %s", Name(c.Server), c.places(), strings.Join(others, " and "), verb)
}

// places lists the hosts, at most three of them.
func (c Contest) places() string {
	if n := len(c.Hosts); n > 3 {
		return strings.Join(c.Hosts[:2], ", ") + " and " + show.Plural(n-2, "more host")
	}
	return strings.Join(c.Hosts, ", ")
}

// Others lists the connections except one.
func (c Contest) Others(one routing.Choice) []routing.Choice {
	return slices.DeleteFunc(slices.Clone(c.Among), func(o routing.Choice) bool { return o == one })
}

// Fix is the command that ends an ambiguity.
func (c Contest) Fix() suggest.Suggestion {
	if !c.hasOneHost() {
		return choose(c.Choices, c.HasDefault, "")
	}
	// PROVIDER=CONNECTION as a provider covers nothing, so it changes no more.
	if first := (routing.Choice{Provider: c.Choices[0]}); c.changesMore(first) {
		return prefer(first, c.Host)
	}
	return choose(c.Choices, c.HasDefault, c.Host)
}

// FixFor is the command that makes one of the connections serve the requests. If its hosts
// cannot be named in one command, it is for all that the connection shares with others;
// more reports whether it then changes who serves hosts outside of c.
func (c Contest) FixFor(one routing.Choice) (fix suggest.Suggestion, more bool) {
	p := c.Preference(one)
	more = c.changesMore(p)
	switch {
	case !c.hasOneHost():
		return prefer(p, ""), more
	case p.Connection == "" && !more:
		return prefer(p, ""), false // shorter, and the same
	}
	return prefer(p, c.Host), false
}

// hasOneHost reports whether `connection prefer` can name the hosts in one command.
func (c Contest) hasOneHost() bool { return len(c.Keys) == 1 && !strings.HasPrefix(c.Host, "regex:") }

// changesMore reports whether a preference for all hosts that p shares with others changes
// who serves hosts outside of c.
func (c Contest) changesMore(p routing.Choice) bool {
	own := func(o routing.Choice) bool { return p.Covers(o.Provider, o.Connection) }
	return slices.ContainsFunc(c.all, func(other Contest) bool {
		outside := slices.ContainsFunc(other.Keys, func(key string) bool { return !slices.Contains(c.Keys, key) })
		contested := slices.ContainsFunc(other.Among, own) && slices.ContainsFunc(other.Among, func(o routing.Choice) bool { return !own(o) })
		return outside && contested && !own(other.Server)
	})
}

// Preference is how to prefer one of the connections: by its provider, unless that has
// several of them.
func (c Contest) Preference(one routing.Choice) routing.Choice {
	if !slices.ContainsFunc(c.Others(one), func(o routing.Choice) bool { return o.Provider == one.Provider }) {
		one.Connection = ""
	}
	return one
}

// Name writes a connection as people do: github/work.
func Name(c routing.Choice) string { return c.Provider + "/" + c.Connection }

// Names are the names of connections.
func Names(all []routing.Choice) []string {
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = Name(c)
	}
	return names
}

// choose says how to choose one of several connections: if they are of one provider that
// has no default, by setting it, and else by a preference.
func choose(choices []string, hasDefault bool, host string) suggest.Suggestion {
	provider, connection, named := strings.Cut(choices[0], "=")
	oneProvider := named && strings.HasPrefix(choices[len(choices)-1], provider+"=")
	if oneProvider && !hasDefault {
		return suggest.Command("default %s %s", provider, connection)
	}
	if connection == "" {
		host = ""
	}
	return prefer(routing.Choice{Provider: provider, Connection: connection}, host)
}

// prefer proposes that a provider, or one of its connections, serves a host, or all hosts
// that it shares with others if host is empty.
func prefer(c routing.Choice, host string) suggest.Suggestion {
	s := suggest.Command("connection prefer %s", c.Provider)
	if host != "" {
		s = s.With(suggest.Words(host))
	}
	if c.Connection != "" {
		s = s.With("--connection " + c.Connection)
	}
	return s
}
