package main

import (
	"context"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// childSetup prepares the environment of the command that authsome run starts, and
// the files that the environment names.
type childSetup struct {
	app         *app
	table       *routing.Table
	credentials *auth.Auth
	connections []auth.Connection
	proxy       *url.URL
	authority   *ca.Authority
	trust       []string

	files        child.Files
	placeholders map[string][]string // the variables that hold placeholders, sorted, by provider
}

func (c *childSetup) close() {
	if err := c.files.Close(); err != nil {
		c.app.Warnf("%v", err)
	}
}

// environ writes the files and returns the environment.
func (c *childSetup) environ(ctx context.Context) ([]string, error) {
	if err := c.writeFiles(); err != nil {
		return nil, err
	}
	set, err := c.app.providers()
	if err != nil {
		return nil, err
	}
	h, err := c.app.home()
	if err != nil {
		return nil, err
	}
	env := child.Environment{
		Parent: os.Environ(), Home: h.Dir, Profile: c.credentials.Profile, Proxy: c.proxy, Files: c.files, Placeholders: make(map[string]string),
		Configured: child.FindConfigured(ctx, c.app.Getenv),
	}
	c.placeholders = make(map[string][]string)
	intercepted := make(map[string]bool)
	for _, r := range c.table.Routes() {
		intercepted[r.Provider] = intercepted[r.Provider] || r.Serves
		env.Hosts = append(env.Hosts, r.Host)
	}
	for _, connection := range c.byPrecedence(intercepted) {
		if d, _, err := c.credentials.Definition(connection); err == nil {
			own := d.Environment(connection.Values())
			maps.Copy(env.Placeholders, own)
			c.placeholders[connection.Provider] = placeholdersOf(own)
		}
	}
	c.hideKeys(set, intercepted, &env)
	environ, dropped := env.Environ()
	for _, d := range dropped {
		c.app.Warnf("%s", d)
	}
	if len(c.connections) == 0 {
		c.app.Infof("no connections yet, so requests go out without credentials; connect a provider: %s", c.app.Suggest(suggest.Command("login PROVIDER")))
	}
	return environ, nil
}

// hideKeys keeps credentials of connected services from the command, whatever variables
// they are in, and reports keys that reach the command.
func (c *childSetup) hideKeys(set *providers.Set, intercepted map[string]bool, env *child.Environment) {
	f := newKeyFinder(set, env.Placeholders)
	for _, connection := range c.connections {
		if _, used := intercepted[connection.Provider]; !used {
			continue
		}
		if d, _, err := c.credentials.Definition(connection); err == nil {
			f.add(d, connection)
		}
	}
	exposed := c.exposed(set, intercepted, env.Placeholders)
	for _, key := range exposed {
		f.addRelated(key.provider)
	}
	found := f.find(env.Parent, slices.Collect(maps.Keys(exposed)))
	env.Unset = found.unset
	maps.Copy(env.Placeholders, found.replaced)
	for name := range found.providers {
		delete(exposed, name)
	}
	if len(found.unset) > 0 {
		c.app.Infof("the command does not get %s: requests get the connected credentials", found.list(found.unset))
	}
	if replaced := slices.Sorted(maps.Keys(found.replaced)); len(replaced) > 0 {
		c.app.Infof("the command gets placeholders in %s: they have keys of connected providers", found.list(replaced))
	}
	if len(exposed) > 0 {
		c.app.Warnf("these keys reach the command unprotected: %s", c.storing(exposed))
	}
	if len(found.possible) > 0 {
		c.app.Warnf("these variables may have keys of connected providers, and reach the command: %s", strings.Join(found.possible, ", "))
	}
}

// byPrecedence returns for each provider in serves the connection whose values its
// variables have, the ones that matter most last. Of two providers with the same variable,
// the one that serves requests wins, and else always the same one.
func (c *childSetup) byPrecedence(serves map[string]bool) []auth.Connection {
	var order []auth.Connection
	for _, name := range slices.Sorted(maps.Keys(serves)) {
		if connection, ok := c.routed(name); ok {
			order = append(order, connection)
		}
	}
	slices.SortStableFunc(order, func(a, b auth.Connection) int {
		switch {
		case serves[a.Provider] == serves[b.Provider]:
			return 0
		case serves[a.Provider]:
			return 1
		}
		return -1
	})
	return order
}

// routed returns the connection of a provider that its variables are for: one that serves
// requests if any does, and of these the one named for the run, else the default one, else
// the first.
func (c *childSetup) routed(provider string) (found auth.Connection, ok bool) {
	best := -1
	for _, r := range c.table.Routes() {
		i := slices.IndexFunc(c.connections, func(o auth.Connection) bool { return o.Provider == provider && o.Name == r.Connection })
		if r.Provider != provider || i < 0 {
			continue
		}
		rank := 0
		for _, has := range []bool{r.Serves, r.Chosen, c.connections[i].Default} {
			if rank *= 2; has {
				rank++
			}
		}
		if rank > best {
			found, ok, best = c.connections[i], true, rank
		}
	}
	return found, ok
}

// exposed returns the variables that hold a real key of a provider that is not connected,
// with their definitions.
func (c *childSetup) exposed(set *providers.Set, intercepted map[string]bool, placeholders map[string]string) map[string]exposedKey {
	exposed := make(map[string]exposedKey)
	for _, d := range set.WithVariable(func(name string) bool { return c.app.Getenv(name) != "" }) {
		if intercepted[d.Name] {
			continue
		}
		for _, v := range d.Variables() {
			value := c.app.Getenv(v.Name)
			_, found := exposed[v.Name]
			// If two providers have the variable and one of them is connected, it holds a
			// placeholder.
			if v.Secret && !found && value != "" && !providers.HasPlaceholder(value) && placeholders[v.Name] == "" {
				exposed[v.Name] = exposedKey{d.Name, v}
			}
		}
	}
	return exposed
}

// exposedKey is a variable with a real key, and its provider.
type exposedKey struct {
	provider string
	variable providers.Variable
}

// storing lists keys and says how to store them.
func (c *childSetup) storing(keys map[string]exposedKey) string {
	var all []string
	next := suggest.Command("login %s", keys[slices.Sorted(maps.Keys(keys))[0]].provider)
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		all = append(all, name+" ("+keys[name].provider+")")
		if keys[name].variable.Value != "" { // otherwise it is another kind of credential than authsome stores
			next = suggest.Command("import --env")
		}
	}
	return strings.Join(all, ", ") + "; store them: " + c.app.Suggest(next)
}

// writeFiles writes the certificates and the settings that clients read from files.
func (c *childSetup) writeFiles() error {
	roots, err := ca.SystemRoots(c.app.Getenv)
	if err != nil {
		return err
	}
	extra, err := ca.ExtraRoots(c.app.Getenv)
	if err != nil {
		return err
	}
	certificate := c.authority.CertificatePEM()
	if c.files, err = child.WriteFiles(os.TempDir(), ca.Join(certificate, roots, extra), ca.Join(certificate, extra), child.UserWgetrc(c.app.Getenv)); err != nil {
		return err
	}
	if cache, err := os.UserCacheDir(); err == nil {
		c.files.UseCache(cache) // if it fails, the files of the run's directory serve as long as the run
	}
	if curlrc := child.UserCurlrc(c.app.Getenv); curlrc != nil {
		if err := c.files.AddCurl(curlrc); err != nil {
			return err
		}
	}
	return c.addRuntimes(roots, extra)
}
