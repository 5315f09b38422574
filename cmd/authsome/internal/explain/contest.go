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
		all = append(all, Contest{s, []string{host}, []string{s.Host}})
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
func (c Contest) Fix() suggest.Suggestion { return choose(c.Choices, c.HasDefault, c.Host) }

// FixFor is the command that makes one of the connections serve the requests.
func (c Contest) FixFor(one routing.Choice) suggest.Suggestion {
	host := c.Host
	if len(c.Keys) > 1 {
		host = "" // all of them
	}
	return prefer(c.Preference(one), host)
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
	return prefer(routing.Choice{Provider: provider, Connection: connection}, host)
}

// prefer proposes that a provider serves all hosts that it shares with others, or that one
// of its connections serves a host, or all that it shares if host is empty.
func prefer(c routing.Choice, host string) suggest.Suggestion {
	s := suggest.Command("connection prefer %s", c.Provider)
	if c.Connection == "" {
		return s
	}
	if host != "" {
		s = s.With(suggest.Words(host))
	}
	return s.With("--connection " + c.Connection)
}
