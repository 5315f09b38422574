package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// runReport is what a run tells its user at its end, on stderr: one line with what the
// command did with the credentials, if it did anything, and warnings if it seems that it
// did not get them.
type runReport struct {
	app          *app
	command      string
	code         int                 // exit code of the command
	id           string              // of the run in the audit log
	placeholders map[string][]string // variables, by provider with routes
	used         sidecar.Report
}

// print prints the report, unless --quiet is set.
func (r *runReport) print() {
	if r.app.Quiet {
		return
	}
	if line := r.summary(); line != "" {
		r.app.Infof("%s: %s: %s", r.name(), line, r.app.Suggest(suggest.Command("log --run %s", shortRun(r.id))))
	}
	for _, w := range r.warnings() {
		r.app.Warnf("%s", w)
	}
}

func (r *runReport) name() string { return filepath.Base(r.command) }

// summary is what the requests of the run came to. It is empty if there is nothing to
// tell, as after a command that asked for no intercepted host.
func (r *runReport) summary() string {
	u := r.used
	var parts []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	injected, refused, blocked, failed := total(u.Injected), total(u.Refused), total(u.Blocked), total(u.Failed)
	add(injected, "%s with a credential (%s)", show.Plural(injected, "request"), namesOf(u.Injected))
	add(refused, "%d refused (%s)", refused, namesOf(u.Refused))
	add(blocked, "%d blocked (%s)", blocked, namesOf(u.Blocked))
	add(failed, "%d without an answer (%s)", failed, namesOf(u.Failed))
	return strings.Join(parts, ", ")
}

func total[T any](counts []sidecar.Count[T]) int {
	n := 0
	for _, c := range counts {
		n += c.N
	}
	return n
}

// maxListed is how many names one list of the report has.
const maxListed = 4

// namesOf lists what was counted, with the numbers if there is more than one name.
func namesOf[T ~string](counts []sidecar.Count[T]) string {
	var names []string
	for i, c := range counts {
		switch {
		case i == maxListed:
			return strings.Join(append(names, "…"), ", ")
		case len(counts) == 1:
			names = append(names, string(c.What))
		default:
			names = append(names, fmt.Sprint(string(c.What), " ", c.N))
		}
	}
	return strings.Join(names, ", ")
}

// warnings say what may be wrong. They claim only what the proxy knows: it does not see
// a client that reaches a service without it.
func (r *runReport) warnings() []string {
	var all []string
	for _, c := range r.used.Rejected {
		all = append(all, fmt.Sprintf("the service of %s/%s answered 401 (unauthorized), so the credential may not be valid any more; check it: %s",
			c.Provider, c.Connection, r.app.Suggest(suggest.Command("status %s", c.Provider))))
	}
	for _, own := range r.used.Own {
		if names := r.placeholders[own.What]; len(names) > 0 {
			all = append(all, fmt.Sprintf("%s of %s to %s had another key in place of the placeholder in %s; authsome replaced it by the connection's credential, but %s can read it: %s",
				show.Plural(own.N, "request"), r.name(), own.What, strings.Join(names, " and "), r.name(), r.app.Suggest(suggest.Command("import --dotenv FILE --placeholders"))))
		}
	}
	for _, w := range r.used.Without {
		named := func(c sidecar.Count[string]) bool { return c.What == w.What.Provider }
		if w.What.Reason == routing.OAuthEndpoint || slices.ContainsFunc(r.used.Injected, named) {
			continue
		}
		all = append(all, fmt.Sprintf("%s to %s got no credential (%s)%s; which requests do: %s", show.Plural(w.N, "request"),
			w.What.Provider, w.What.Reason, unusedVariables(r.placeholders[w.What.Provider]), r.app.Suggest(suggest.Command("inspect %s", w.What.Provider))))
	}
	if w := r.unreached(); w != "" {
		all = append(all, w+": "+r.app.Suggest(suggest.Command("run -- authsome doctor")))
	}
	return all
}

// endedBySignal reports whether an exit code says that a signal, such as Ctrl-C, ended the
// command or the program that the command started: a shell has only the exit code to say
// so. Other codes over 127 are failures, such as git's 128 and Python's 255.
func endedBySignal(code int) bool { return code > 128 && code < 160 }

// unreached says that the command failed and sent no request to an intercepted host. It
// says nothing about a command that a signal ended.
func (r *runReport) unreached() string {
	itself := strings.TrimSuffix(r.name(), ".exe") == "authsome"
	if r.code == 0 || endedBySignal(r.code) || itself || len(r.placeholders) == 0 || r.used.Requests > 0 || r.summary() != "" {
		return ""
	}
	var variables []string
	for _, names := range r.placeholders {
		variables = append(variables, names...)
	}
	slices.Sort(variables)
	unused := unusedVariables(slices.Compact(variables))
	switch {
	case len(r.used.Unused) > 0:
		return fmt.Sprintf("%s failed, and ended its connections to %s before a request%s; its client may not trust the proxy's certificate", r.name(), namesOf(r.used.Unused), unused)
	case r.used.Seen:
		return fmt.Sprintf("%s failed, and sent no request to a connected provider%s; see which clients use the proxy", r.name(), unused)
	}
	return fmt.Sprintf("%s failed, and nothing came through the proxy%s; a client that ignores proxy settings gets no credential", r.name(), unused)
}

// unusedVariables says that the placeholders in these variables were not used.
func unusedVariables(names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return ", so " + names[0] + " was not used"
	case 2:
		return ", so " + names[0] + " and " + names[1] + " were not used"
	}
	return fmt.Sprintf(", so %s and %d other placeholders were not used", names[0], len(names)-1)
}

// placeholdersOf returns the variables that hold a placeholder.
func placeholdersOf(environment map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		if providers.HasPlaceholder(environment[name]) {
			names = append(names, name)
		}
	}
	return names
}
