package home

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/internal/near"
)

// ConfigError is something in config.json that must be fixed by hand.
type ConfigError struct {
	Path    string // of the file
	Problem string
}

func (e *ConfigError) Error() string { return e.Path + ": " + e.Problem }

// misspelt is the greatest edit distance at which an unknown member of config.json is
// taken for a known one.
const misspelt = 2

// meantMember returns the known member that a name is a misspelling or the beginning of, or
// "". A new member must have a name for which it is "", or older versions refuse the file.
func meantMember(name string, known []string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "-", "_")
	if meant := near.Nearest(name, known, misspelt); meant != "" {
		return meant
	}
	begins := func(k string) bool { return len(name) > misspelt && strings.HasPrefix(k, name) }
	if i := slices.IndexFunc(known, begins); i >= 0 {
		return known[i]
	}
	return ""
}

// UnknownMembers returns the members of config.json that this version does not know,
// such as "audit.sink". A newer version may have written them, so they are ignored and
// kept.
func (c Config) UnknownMembers() []string {
	var all []string
	for _, o := range c.objects() {
		for _, name := range memberNames(o.unknown) {
			all = append(all, o.prefix+name)
		}
	}
	return all
}

// checkMembers reports the first unknown member whose name is almost that of a known one, or
// its beginning.
func (c Config) checkMembers() error {
	for _, o := range c.objects() {
		for _, name := range memberNames(o.unknown) {
			if meant := meantMember(name, o.known); meant != "" {
				return fmt.Errorf("unknown member %q; it should probably be %q", o.prefix+name, o.prefix+meant)
			}
		}
	}
	return nil
}

// object is one of the objects of config.json.
type object struct {
	prefix  string // of the names of its members
	known   []string
	unknown jsontext.Value
}

func (c Config) objects() []object {
	return []object{
		{"", tags(reflect.TypeFor[Config]()), c.Unknown},
		{"encryption.", tags(reflect.TypeFor[Encryption]()), c.Encryption.Unknown},
		{"audit.", tags(reflect.TypeFor[Audit]()), c.Audit.Unknown},
		{"run.", tags(reflect.TypeFor[Run]()), c.Run.Unknown},
	}
}

// tags returns the names of the members that a struct has in JSON.
func tags(t reflect.Type) []string {
	var all []string
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			all = append(all, name)
		}
	}
	return all
}

func memberNames(object jsontext.Value) []string {
	if len(object) == 0 {
		return nil
	}
	var members map[string]jsontext.Value
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	var names []string
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
