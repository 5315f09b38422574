package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// keyFinder finds variables of this process that have credentials of connected services
// under other names than those with the command's placeholders: the same key, another key,
// or another kind of credential. The command must not get them.
type keyFinder struct {
	set          *providers.Set
	service      map[string]string // the connected provider of each definition: its own, or another one of the same service
	variables    []serviceVariable // of these definitions
	stored       []storedSecret
	placeholders map[string]string // variables of the command
}

// serviceVariable is a variable of a service.
type serviceVariable struct {
	providers.Variable
	of       string // the definition that has it
	provider string // the connected provider of the service
	public   string // its placeholder, whatever the connection's values
}

// storedSecret is a secret of a connection.
type storedSecret struct {
	provider    string
	value       secret.String
	placeholder string
}

// foundKeys are the variables that a keyFinder found.
type foundKeys struct {
	unset     []string          // the command does not get these
	replaced  map[string]string // the command gets these values instead
	providers map[string]string // of each variable of both kinds
	possible  []string          // may be keys, by their names only; with their providers
}

// minStored is the length in bytes of the shortest stored secret that is looked for:
// shorter ones can be words of other variables. Within a longer value, such as a URL with a
// password, only secrets of at least minWithin bytes are.
const (
	minStored = 8
	minWithin = 16
)

func newKeyFinder(set *providers.Set, placeholders map[string]string) *keyFinder {
	return &keyFinder{set: set, service: make(map[string]string), placeholders: placeholders}
}

// add adds a connection of the run.
func (f *keyFinder) add(d *providers.Definition, c auth.Connection) {
	f.addVariables(d, d.Name)
	if other, err := f.set.Lookup(d.TokenProvider); err == nil && f.service[other.Name] == "" {
		f.addVariables(other, d.Name)
	}
	values := c.Values()
	known := func(s secret.String) bool {
		return slices.ContainsFunc(f.stored, func(o storedSecret) bool { return o.value.Equal(s) })
	}
	keep := func(s secret.String, placeholder string) {
		if len(s.Reveal()) >= minStored && !known(s) {
			f.stored = append(f.stored, storedSecret{d.Name, s, placeholder})
		}
	}
	for _, v := range d.Variables() {
		if text, ok := d.Public(v, values); ok && v.Secret && v.Field != "" {
			keep(values[v.Field], text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		if p := d.Param(name); p == nil || p.Secret {
			keep(c.Fields[name], providers.PlaceholderMark)
		}
	}
	for _, s := range []secret.String{c.APIKey, c.AccessToken, c.RefreshToken} {
		keep(s, providers.PlaceholderMark)
	}
}

// addVariables adds the variables of a definition of the service of a connected provider.
// A definition that was added as another one of the service can be added as its own.
func (f *keyFinder) addVariables(d *providers.Definition, provider string) {
	if f.service[d.Name] == provider {
		return
	}
	f.service[d.Name] = provider
	f.variables = slices.DeleteFunc(f.variables, func(v serviceVariable) bool { return v.of == d.Name })
	for _, v := range d.Variables() {
		public, ok := d.Public(v, nil)
		if !ok {
			public = providers.PlaceholderMark
		}
		f.variables = append(f.variables, serviceVariable{v, d.Name, provider, public})
	}
}

// addRelated adds a definition if it is of the same service as a connected provider.
func (f *keyFinder) addRelated(name string) {
	d, err := f.set.Lookup(name)
	if err != nil || f.service[name] != "" || f.service[d.TokenProvider] != d.TokenProvider || d.TokenProvider == "" {
		return
	}
	f.addVariables(d, d.TokenProvider)
}

// find looks through an environment. The variables in listed are reported elsewhere, so
// they are not in possible.
func (f *keyFinder) find(environ, listed []string) foundKeys {
	slices.SortStableFunc(f.variables, func(a, b serviceVariable) int { return strings.Compare(a.of, b.of) })
	found := foundKeys{replaced: make(map[string]string), providers: make(map[string]string)}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if _, set := f.placeholders[name]; name == "" || value == "" || set || providers.HasPlaceholder(value) {
			continue
		}
		if provider := f.unset(name); provider != "" {
			found.unset, found.providers[name] = append(found.unset, name), provider
		} else if provider, text := f.replacement(name, value); provider != "" {
			found.replaced[name], found.providers[name] = text, provider
		} else if provider := f.mayBeKey(name, value); provider != "" && !slices.Contains(listed, name) {
			found.possible = append(found.possible, name+" ("+provider+")")
		}
	}
	slices.Sort(found.unset)
	slices.Sort(found.possible)
	return found
}

// unset returns the connected provider that has a variable with a secret, for which the
// command gets no placeholder: the definition says so, or the connection has no such
// secret, as with the session token of another AWS key.
func (f *keyFinder) unset(name string) string {
	for _, v := range f.variables {
		if v.Name == name && v.of == v.provider && (v.Secret || v.Unset) {
			return v.provider
		}
	}
	return ""
}

// replacement returns what the command gets instead of a value that has a secret of a
// connected provider, or a key of its service.
func (f *keyFinder) replacement(name, value string) (provider, text string) {
	text = value
	for _, s := range f.stored {
		hidden := s.value.Reveal()
		if value == hidden || len(hidden) >= minWithin && strings.Contains(text, hidden) {
			provider, text = s.provider, strings.ReplaceAll(text, hidden, s.placeholder)
		}
	}
	if provider == "" {
		if of, placeholder := f.related(name); of != "" {
			return of, placeholder
		}
	}
	for _, word := range keyWord.FindAllString(text, -1) {
		if of, placeholder := f.shaped(word); of != "" {
			provider, text = of, strings.ReplaceAll(text, word, placeholder)
		}
	}
	return provider, text
}

// related returns the connected provider of whose service another provider has the
// variable, and its placeholder.
func (f *keyFinder) related(name string) (provider, placeholder string) {
	for _, v := range f.variables {
		if v.Name == name && v.Secret && v.Value != "" {
			return v.provider, v.public
		}
	}
	return "", ""
}

// keyWord finds words that are long enough for a key with a prefix.
var keyWord = regexp.MustCompile(`[A-Za-z0-9_.-]{20,}`)

// shaped returns the connected provider whose service certainly has keys like the word,
// and a placeholder.
func (f *keyFinder) shaped(word string) (provider, placeholder string) {
	for _, v := range f.variables {
		// Keys of many services begin with sk-, so that says nothing.
		start, _, _ := strings.Cut(v.Placeholder, "authsome")
		if v.Secret && len(start) > len("sk-") && strings.HasPrefix(word, start) && f.set.KeyOwner(word) == v.of {
			return v.provider, v.public
		}
	}
	return "", ""
}

// credentialEnd matches the ends of variables that may have a credential.
var credentialEnd = regexp.MustCompile(`_(KEY|APIKEY|TOKEN|SECRET|PASSWORD|PAT)$`)

// mayBeKey returns the connected provider whose variables begin with the same word, which
// is in the provider's name, if the variable has the name of a credential.
func (f *keyFinder) mayBeKey(name, value string) string {
	word, _, _ := strings.Cut(name, "_")
	if len(word) < 3 || len(value) < minStored || !credentialEnd.MatchString(name) {
		return ""
	}
	for _, v := range f.variables {
		if v.Secret && strings.HasPrefix(v.Name, word+"_") && strings.Contains(strings.ReplaceAll(v.of, "-", ""), strings.ToLower(word)) {
			return v.provider
		}
	}
	return ""
}

// list returns the names with their providers, for a message.
func (k *foundKeys) list(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, name+" ("+k.providers[name]+")")
	}
	return strings.Join(all, ", ")
}
