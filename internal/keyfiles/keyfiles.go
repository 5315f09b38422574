// Package keyfiles finds the files in which the tools of services keep credentials, such
// as ~/.aws/credentials and .env. An agent of the same user can read them, although it gets
// the credentials of connected providers from the proxy only.
//
// The package reads files, but returns only their paths and the names of providers. Its
// invariant: nothing that a file contains is returned, logged or part of an error.
package keyfiles

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
	"github.com/authsome/authsome/internal/regular"
)

// Search says where to look, and what for.
type Search struct {
	Providers []string // the connected providers

	// Served returns the connected provider that serves a host, or "".
	Served func(host string) (provider string)

	// Credentials returns the connected providers whose credentials are in variables, which
	// are given as "NAME=value".
	Credentials func(environ []string) (providers []string)

	Getenv    func(string) string // the environment of the agent
	Home, Dir string              // the user's home and the working directory
}

// File is a file with credentials of connected providers.
type File struct {
	Path      string
	Providers []string // sorted
}

// maxRead limits how much of a file is searched.
const maxRead = 1 << 20

// Find returns the files that exist, that this user can read, and that have credentials of
// connected providers as far as their form shows it. They are sorted by path.
func Find(s Search) []File {
	found := make(map[string][]string)
	for _, k := range known {
		for _, path := range s.expand(k.paths) {
			if providers := s.providers(k, path); len(providers) > 0 {
				found[path] = append(found[path], providers...)
			}
		}
	}
	var files []File
	for _, path := range slices.Sorted(maps.Keys(found)) {
		slices.Sort(found[path])
		files = append(files, File{path, slices.Compact(found[path])})
	}
	return files
}

// providers returns the connected providers that a file has credentials of.
func (s *Search) providers(k kind, path string) []string {
	text := regular.ReadBeginning(path, maxRead)
	if len(text) == 0 || k.credential != nil && !k.credential.Match(text) {
		return nil
	}
	var all []string
	switch {
	case k.variables:
		all = s.Credentials(parseVariables(string(text)))
	case k.host != nil:
		for _, m := range k.host.FindAllSubmatch(text, -1) {
			all = append(all, s.served(string(m[1])))
		}
	default:
		for _, p := range s.Providers {
			if p == k.service || strings.HasPrefix(p, k.service+"-") {
				all = append(all, p)
			}
		}
	}
	return slices.DeleteFunc(all, func(p string) bool { return p == "" })
}

// served returns the provider of a host in a file. A credential for example.com is often
// one for api.example.com too: GitHub's tools, for instance, store tokens for github.com.
func (s *Search) served(host string) string {
	host, err := hosts.Normalize(host)
	if err != nil {
		return ""
	}
	if p := s.Served(host); p != "" {
		return p
	}
	return s.Served("api." + host)
}

// expand returns the files that match the paths of a [kind].
func (s *Search) expand(patterns []string) []string {
	var all []string
	for _, pattern := range patterns {
		name, isVariable := strings.CutPrefix(pattern, "$")
		name, rest, _ := strings.Cut(name, "/")
		switch {
		case isVariable:
			// KUBECONFIG can be a list of files.
			for _, value := range filepath.SplitList(s.Getenv(name)) {
				if value != "" && !filepath.IsAbs(value) {
					value = filepath.Join(s.Dir, value)
				}
				if value != "" {
					all = append(all, glob(value, rest)...)
				}
			}
		case strings.HasPrefix(pattern, "~/"):
			if s.Home != "" {
				all = append(all, glob(s.Home, rest)...)
			}
		default:
			for _, dir := range s.project() {
				all = append(all, filepath.Join(dir, pattern))
			}
		}
	}
	return all
}

// glob returns the files in dir that match a pattern. The name of dir itself is not part
// of the pattern.
func glob(dir, pattern string) []string {
	if !strings.Contains(pattern, "*") {
		return []string{filepath.Join(dir, filepath.FromSlash(pattern))}
	}
	names, _ := fs.Glob(os.DirFS(dir), pattern)
	for i, name := range names {
		names[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return names
}

// project returns the working directory and its parents up to the root of the repository.
// Outside of a repository it returns only the working directory.
func (s *Search) project() []string {
	if s.Dir == "" {
		return nil
	}
	var all []string
	for dir := filepath.Clean(s.Dir); ; dir = filepath.Dir(dir) {
		all = append(all, dir)
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return all
		}
		if dir == filepath.Dir(dir) {
			return all[:1]
		}
	}
}
