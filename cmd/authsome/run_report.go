package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// runReport is what a run tells its user at its end, on stderr: one line with what the
// command did with the credentials, if it did anything, and warnings if it seems that it
// did not get them.
type runReport struct {
	app          *app
	command      []string
	trust        []string            // the runtimes that --trust named
	code         int                 // exit code of the command
	id           string              // of the run in the audit log
	placeholders map[string][]string // variables, by provider with routes
	used         sidecar.Report
	isolated     bool
	blocked      []string // what an isolated command could not reach
}

// print prints the report, unless --quiet is set.
func (r *runReport) print() {
	if r.app.Quiet {
		return
	}
	if line := r.summary(); line != "" {
		r.app.Infof("%s: %s: %s", r.name(), line, r.app.Suggest(suggest.Command("log --run %s", shortRun(r.id))))
	}
	for _, b := range r.blocked {
		r.app.Infof("%s", b)
	}
	for _, w := range r.warnings() {
		r.app.Warnf("%s", w)
	}
}

func (r *runReport) name() string { return filepath.Base(r.command[0]) }

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
	blockedHosts := slices.Concat(u.Blocked, u.NotAllowed)
	injected, refused, blocked, failed := total(u.Injected), total(u.Refused), total(blockedHosts), total(u.Failed)
	add(injected, "%s with a credential (%s)", show.Plural(injected, "request"), namesOf(u.Injected))
	add(refused, "%d refused (%s)", refused, namesOf(u.Refused))
	add(blocked, "%d blocked (%s)", blocked, namesOf(blockedHosts))
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

// unreached says why the command may have sent no request to an intercepted host, if it sent
// none: its client refused the certificate, or is one that is known not to come to the
// proxy. Of other commands it says something only if they failed, and never if a signal
// ended them.
func (r *runReport) unreached() string {
	itself := strings.TrimSuffix(r.name(), ".exe") == "authsome"
	if endedBySignal(r.code) || itself || len(r.placeholders) == 0 || r.used.Requests > 0 || r.summary() != "" {
		return ""
	}
	name, did := r.name(), "sent no request to a connected provider"
	if !r.used.Seen {
		did = "sent nothing through the proxy"
	}
	if r.code != 0 {
		name += " failed, and"
	}
	client, known := child.ClientOf(r.command)
	switch {
	case len(r.used.Unused) > 0:
		return fmt.Sprintf("%s ended its connections to %s before a request%s; its client may not trust the proxy's certificate, because it expects the service's own or trusts only its own roots",
			name, namesOf(r.used.Unused), r.unused())
	case r.isolated: // then proxy settings do not matter
		return ""
	case known && !child.Trusts(r.trust, client.Runtime):
		return fmt.Sprintf("%s %s; %s %s%s", name, did, client.Name, client.Reason, withTrust(client))
	case r.code == 0:
		return ""
	}
	text := fmt.Sprintf("%s %s%s; a client that ignores proxy settings gets no credential", name, did, r.unused())
	var others, runtimes []string
	for _, c := range child.Installed(r.trust) {
		others, runtimes = append(others, c.Name), append(runtimes, c.Runtime)
	}
	if len(others) > 0 {
		text += fmt.Sprintf(" (for %s: --trust %s)", strings.Join(others, ", "), strings.Join(runtimes, ","))
	}
	return text
}

// withTrust says which option makes a kind of client come to the proxy.
func withTrust(c child.Client) string {
	if c.Runtime == "" {
		return ""
	}
	return "; use authsome run --trust " + c.Runtime
}

// unused says that placeholders were not used.
func (r *runReport) unused() string {
	var variables []string
	for _, names := range r.placeholders {
		variables = append(variables, names...)
	}
	slices.Sort(variables)
	return unusedVariables(slices.Compact(variables))
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
