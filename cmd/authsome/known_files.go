package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/keyfiles"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// knownFiles returns the files in which other tools keep credentials of the services that
// the routes are for.
func (a *app) knownFiles(credentials *auth.Auth, connections []auth.Connection, t *routing.Table) ([]keyfiles.File, error) {
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	s := keyfiles.Search{Getenv: a.Getenv}
	for _, r := range t.Routes() {
		if r.Serves && !slices.Contains(s.Providers, r.Provider) {
			s.Providers = append(s.Providers, r.Provider)
		}
	}
	s.Served = func(host string) string {
		for _, r := range t.Routes() {
			if r.Serves && r.MatchHost(host) {
				return r.Provider
			}
		}
		return ""
	}
	s.Credentials = providersOfKeys(set, credentials, connections, s.Providers)
	if s.Home, err = os.UserHomeDir(); err != nil {
		return nil, fmt.Errorf("find the files of other tools: %w", err)
	}
	if s.Dir, err = os.Getwd(); err != nil {
		return nil, fmt.Errorf("find the files of other tools: %w", err)
	}
	return keyfiles.Find(s), nil
}

// exposedFiles lists, for doctor, the files of knownFiles of the profile in use.
func (a *app) exposedFiles(ctx context.Context) (string, error) {
	t, err := a.routes(ctx)
	if err != nil {
		return "", err
	}
	credentials, err := a.auth()
	if err != nil {
		return "", err
	}
	connections, err := credentials.Connections(ctx)
	if err != nil {
		return "", err
	}
	files, err := a.knownFiles(credentials, connections, t)
	return listFiles(files), err
}

// providersOfKeys returns a function that returns the connected providers of which an environment
// has keys.
func providersOfKeys(set *providers.Set, credentials *auth.Auth, connections []auth.Connection, served []string) func(environ []string) []string {
	f := newKeyFinder(set, nil)
	for _, c := range connections {
		if d, _, err := credentials.Definition(c); err == nil && slices.Contains(served, c.Provider) {
			f.add(d, c)
		}
	}
	return func(environ []string) []string {
		found := f.find(environ, nil)
		return slices.Compact(slices.Sorted(maps.Values(found.providers)))
	}
}

// listFiles names files and the providers whose credentials they have.
func listFiles(files []keyfiles.File) string {
	var all []string
	for i, f := range files {
		if i == maxListed {
			all = append(all, fmt.Sprintf("%d more", len(files)-i))
			break
		}
		all = append(all, fmt.Sprintf("%s (%s)", shortPath(f.Path), strings.Join(f.Providers, ", ")))
	}
	return strings.Join(all, ", ")
}

// shortPath writes the user's home directory as ~.
func shortPath(path string) string {
	home, err := os.UserHomeDir()
	if rest, below := strings.CutPrefix(path, home+"/"); err == nil && below {
		return "~/" + rest
	}
	return path
}
