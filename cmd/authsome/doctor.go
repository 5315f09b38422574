package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// finding is the outcome of one check.
type finding struct {
	Check  string `json:"check"`
	Status string `json:"status"` // one of the constants below
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

const (
	sound   = "ok"
	warning = "warning" // works, and may not be what is wanted
	problem = "problem"
)

func newDoctorCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check that everything works, and say what to do where it does not",
		Long: `Doctor checks the home directory, the master key, the vault (with a record that
it writes, reads and deletes), the definitions, the connections, the audit log,
the clock, and what this system knows of proxies and certificates.

Behind the proxy (authsome run -- authsome doctor) it checks the way from there:
the variables, whether the proxy answers, whether each installed client uses it
and trusts it, and whether traffic can go round it.

It exits with 1 if there is a problem.`,
		Example: `  authsome doctor
  authsome run -- authsome doctor`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return doctor(cmd.Context(), a) },
	}
}

// doctorTime bounds all checks together; each that waits has a bound of its own.
const doctorTime = 2 * time.Minute

func doctor(ctx context.Context, a *app) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	checks := a.ownChecks()
	if a.getenv("AUTHSOME_PROXY_MODE") != "" {
		checks = a.childChecks()
	}
	var all []finding
	problems := 0
	told := make(map[string]bool)
	for _, check := range checks {
		for _, f := range check(ctx) {
			if f.Status == problem && told[f.Detail] {
				continue // one cause, met by several checks
			}
			told[f.Detail] = true
			all = append(all, f)
			if f.Status == problem {
				problems++
			}
			if !a.json {
				a.showFinding(f)
			}
		}
	}
	if a.json {
		err := a.printJSON(struct {
			OK       bool      `json:"ok"`
			Findings []finding `json:"findings"`
		}{problems == 0, all})
		if err != nil || problems == 0 {
			return err
		}
		return exitCode(exitError)
	}
	if problems > 0 {
		return fmt.Errorf("%s", plural(problems, "problem"))
	}
	return nil
}

func (a *app) showFinding(f finding) {
	colour := map[string]string{sound: green, warning: yellow, problem: red}[f.Status]
	a.printf("%s %-14s %s\n", a.paint(a.stdout, colour, fmt.Sprintf("%-8s", f.Status)), f.Check, f.Detail)
	if f.Remedy != "" {
		a.printf("%-23s → %s\n", "", f.Remedy)
	}
}

type checkup func(context.Context) []finding

// failed turns an error into a finding, with the hint that a command which met
// it would have given.
func failed(name string, err error) []finding {
	return []finding{{name, problem, err.Error(), judge(err).hint}}
}

func fine(name, format string, args ...any) []finding {
	return []finding{{name, sound, fmt.Sprintf(format, args...), ""}}
}
