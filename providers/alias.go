package providers

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed aliases.txt
var aliasTable string

// aliases maps each other name of a bundled provider to the provider's name.
var aliases = sync.OnceValue(func() map[string]string {
	all := make(map[string]string)
	for line := range strings.Lines(aliasTable) {
		name, others, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		for alias := range strings.SplitSeq(others, ", ") {
			all[alias] = name
		}
	}
	return all
})

// Aliases returns the other names under which [Set.Resolve] finds the provider, sorted.
// A name that is another provider's is left out.
func (s *Set) Aliases(name string) []string {
	var own []string
	for alias, of := range aliases() {
		if of == name && s.Resolve(alias) == name {
			own = append(own, alias)
		}
	}
	slices.Sort(own)
	return own
}

// Resolve returns the name of the provider that a person means by text: that name in any
// case, an alias, or the display name. Blanks, dots, hyphens and underscores make no
// difference where the result is unique. If no provider is meant, it returns text, and
// also if the user has a file of that name which cannot be used.
//
// It is for names that a person typed. What is stored has names of providers, which
// [Set.Lookup] finds.
func (s *Set) Resolve(text string) string {
	if s.byName[text] != nil || len(s.ProblemsOf(text)) > 0 || text == "" {
		return text
	}
	lower := strings.ToLower(text)
	if name := only(maps.Keys(s.byName), func(name string) bool { return strings.ToLower(name) == lower }); name != "" {
		return name
	}
	if name := aliases()[lower]; s.byName[name] != nil {
		return name
	}
	folded := foldName(text)
	if folded == "" {
		return text
	}
	if name := only(maps.Keys(s.byName), func(name string) bool { return foldName(name) == folded }); name != "" {
		return name
	}
	if alias := only(maps.Keys(aliases()), func(alias string) bool { return foldName(alias) == folded }); s.byName[aliases()[alias]] != nil {
		return aliases()[alias]
	}
	var named []string
	for _, d := range s.All() {
		if foldName(d.DisplayName) == folded {
			named = append(named, d.Name)
		}
	}
	if len(named) == 1 {
		return named[0]
	}
	return text
}

// only returns the one text for which is reports true, or "" if there is none or
// another.
func only(all func(yield func(string) bool), is func(string) bool) string {
	found := ""
	for text := range all {
		switch {
		case !is(text):
		case found != "":
			return ""
		default:
			found = text
		}
	}
	return found
}

// foldName makes the spellings of a name equal: Hugging Face, hugging-face, huggingface.
func foldName(text string) string {
	return strings.NewReplacer(" ", "", ".", "", "-", "", "_", "").Replace(strings.ToLower(text))
}
