// Package doctor checks that everything works, on the user's side or behind the
// proxy, and says what to do about each problem.
//
// It changes nothing except a probe record, which it deletes again, and the entries of
// runs that were killed. Its invariant: a
// finding that is a problem names the cause, and what to do if that is known.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
)

// Doctor checks one home.
type Doctor struct {
	Console *console.Console
	Opener  *opener.Opener

	// KeyFiles lists the files in which other tools keep credentials of connected services,
	// or returns "".
	KeyFiles func(context.Context) (string, error)
	Client   *Client // nil if this process reads the home itself
}

// finding is the outcome of one check.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"` // one of the constants below
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
	Who    string `json:"who,omitempty"` // who has to act, if it is not the one who runs doctor

	next   suggest.Suggestion // becomes Remedy and Who
	public string             // for a report, if Detail has what is in a definition
}

// Statuses of findings.
const (
	statusOK      = "ok"
	statusWarning = "warning" // it works, but may not be what the user wants
	statusProblem = "problem"
)

// timeout limits all checks together. Each check that waits has its own limit too.
const timeout = 2 * time.Minute

// check is one check. It may have several findings, or none if it does not apply.
type check func(context.Context) []finding

// Run runs the checks and prints their findings. The error says that there are
// problems.
func (d *Doctor) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	all := d.find(ctx, d.checks(), func(f finding) {
		if !d.Console.JSON {
			d.print(f)
		}
	})
	problems := 0
	for _, f := range all {
		if f.Status == statusProblem {
			problems++
		}
	}
	if d.Console.JSON {
		err := d.Console.PrintJSON(struct {
			OK       bool      `json:"ok"`
			Findings []finding `json:"findings"`
			originalAnswer
		}{problems == 0, all, d.original(all)})
		if err != nil || problems == 0 {
			return err
		}
		return exit.CodeError(exit.Error)
	}
	if problems > 0 {
		return errors.New("found " + show.Plural(problems, "problem"))
	}
	return nil
}

// checks are those for the place of this process.
func (d *Doctor) checks() []check {
	switch {
	case d.Client != nil:
		return d.checksOfClient()
	case d.Console.Behind():
		return d.checksBehindProxy()
	}
	return d.ownChecks()
}

// find runs the checks and calls found with each finding.
func (d *Doctor) find(ctx context.Context, checks []check, found func(finding)) (all []finding) {
	reported := make(map[string]bool)
	for _, check := range checks {
		for _, f := range check(ctx) {
			if f.Status == statusProblem && reported[f.Detail] {
				continue // several checks found the same cause
			}
			reported[f.Detail] = true
			if !f.next.IsZero() { // otherwise the proxy has written it out, if there is one
				f.Remedy, f.Who = d.Console.Next(f.next)
			}
			all = append(all, f)
			found(f)
		}
	}
	return all
}

func (d *Doctor) print(f finding) {
	colour := map[string]show.Colour{statusOK: show.Green, statusWarning: show.Yellow, statusProblem: show.Red}[f.Status]
	d.Console.Printf("%s %-14s %s\n", d.Console.Paint(colour, fmt.Sprintf("%-8s", f.Status)), f.Check, f.Detail)
	if f.Remedy != "" {
		d.Console.Printf("%-23s → %s\n", "", f.Remedy)
	}
}

func ok(name, format string, args ...any) []finding {
	return []finding{{Check: name, Status: statusOK, Detail: fmt.Sprintf(format, args...)}}
}

func warning(name, detail string, next suggest.Suggestion) []finding {
	return []finding{{Check: name, Status: statusWarning, Detail: detail, next: next}}
}

func problem(name, detail string, next suggest.Suggestion) []finding {
	return []finding{{Check: name, Status: statusProblem, Detail: detail, next: next}}
}

// inReport makes a report show another detail.
func inReport(public string, findings []finding) []finding {
	for i := range findings {
		findings[i].public = public
	}
	return findings
}

// failed makes a finding of an error, with the hint that a command gives for it.
func failed(name string, err error) []finding {
	return problem(name, exit.Message(err), exit.Judge(err).Next)
}
