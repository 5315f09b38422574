package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/near"
)

type logOptions struct {
	lines    int
	follow   bool
	verify   bool
	jsonl    bool
	provider string
	event    string
	since    string
	run      string
}

func newLogCmd(a *app) *cobra.Command {
	o := &logOptions{}
	cmd := &cobra.Command{
		Use: "log", Short: "Show the audit log, or check that it was not changed",
		Long: `Log shows who used or changed which credential, and when. The audit log contains
no secrets and no query strings. With --json, log prints the lines exactly as
they are in the file, including those that end a chain, as one JSON array. With
--jsonl, and with --follow --json, it prints one on each line. It shows the
lines of all profiles, unless --profile or AUTHSOME_PROFILE names one.

--verify checks the chain of lines that each process wrote, and reports lines
that were changed, removed, added or moved. It cannot detect that the last lines
of a chain were removed if the chain was never closed. Archives that the log
deleted itself to limit its size are not a problem.`,
		Example: `  authsome log -n 50 --provider github
  authsome log --event login --since 2026-11-01
  authsome log --run 5f0c2a9b
  authsome log --json | jq '.[].event'
  authsome log --follow --jsonl
  authsome log --verify`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.verify {
				if err := checkVerify(cmd); err != nil {
					return err
				}
				return verifyLog(cmd.Context(), a)
			}
			if o.run != "" && !cmd.Flags().Changed("lines") {
				o.lines = -1
			}
			return showLog(cmd.Context(), a, o)
		},
	}
	f := cmd.Flags()
	f.IntVarP(&o.lines, "lines", "n", 20, "show the last `N` lines; -1 for all, which --run implies")
	f.BoolVarP(&o.follow, "follow", "f", false, "keep running, and show new lines as they are written")
	f.BoolVar(&o.jsonl, "jsonl", false, "print the lines as they are in the file, one JSON object on each line")
	f.BoolVar(&o.verify, "verify", false, "check that no line was changed, instead of showing lines")
	f.StringVar(&o.provider, "provider", "", "only lines about the provider `NAME`")
	f.StringVar(&o.event, "event", "", "only lines with the event `NAME`, such as login or injection")
	f.StringVar(&o.since, "since", "", "only lines since `TIME`, such as 30m, 7d, 2026-11-01 or 2026-11-01T12:00:00Z")
	f.StringVar(&o.run, "run", "", "only lines of the run `ID`, or of the runs whose ID begins so")
	return cmd
}

func showLog(ctx context.Context, a *app, o *logOptions) error {
	if o.lines < -1 {
		return exit.Usagef("--lines %d: use a whole number, or -1 for all", o.lines)
	}
	keep, since, err := o.filter(time.Now(), a.JSON || o.jsonl, a.opener().NamedProfile())
	if err != nil {
		return err
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	if err := o.checkEvent(h.AuditPath()); err != nil {
		return err
	}
	profile, err := a.opener().ProfileName()
	if err != nil {
		return err
	}
	if !o.follow {
		lines, err := audit.Last(h.AuditPath(), o.lines, since, keep)
		if err != nil {
			return err
		}
		switch {
		case a.JSON && !o.jsonl:
			printArray(a, lines)
		case len(lines) == 0 && !o.jsonl:
			a.Infof("no matching lines")
		default:
			o.printLines(a, lines, profile)
		}
		return nil
	}
	if err := ensureLog(h.AuditPath()); err != nil {
		return err
	}
	var failed error
	err = audit.Follow(ctx, h.AuditPath(), func() {
		var lines []audit.Line
		lines, failed = audit.Last(h.AuditPath(), o.lines, since, keep)
		o.printLines(a, lines, profile)
	}, func(l audit.Line) error {
		if keep(l) {
			o.printLines(a, []audit.Line{l}, profile)
		}
		return failed
	})
	return errors.Join(failed, err)
}

// printArray prints lines as one JSON array, each as it is in the file.
func printArray(a *app, lines []audit.Line) {
	if len(lines) == 0 {
		a.Printf("[]\n")
		return
	}
	before := "[\n  "
	for _, l := range lines {
		a.Printf("%s%s", before, l.Raw)
		before = ",\n  "
	}
	a.Printf("\n]\n")
}

// printLines prints lines as a table, or with --jsonl as they are in the file. Lines that
// are followed have no end, so --json means the same for them.
func (o *logOptions) printLines(a *app, lines []audit.Line, profile string) {
	if a.JSON || o.jsonl {
		for _, l := range lines {
			a.Printf("%s\n", l.Raw)
		}
		return
	}
	rows := make([][]string, len(lines))
	for i, l := range lines {
		rows[i] = logRow(l, profile)
	}
	a.Table(rows)
}

// ensureLog creates the log if nothing has been written to it yet, so that it can be
// followed.
func ensureLog(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create the audit log: %w", err)
	}
	return f.Close()
}

// checkEvent returns an error if --event is not a kind of event. An event that only another
// version writes is one if the log has it.
func (o *logOptions) checkEvent(path string) error {
	if o.event == "" || slices.Contains(audit.Events, o.event) {
		return nil
	}
	lines, err := audit.Last(path, 1, time.Time{}, func(l audit.Line) bool { return l.Event == o.event })
	if err != nil || len(lines) > 0 {
		return err
	}
	err = exit.Usagef("--event %s: use %s", o.event, strings.Join(slices.Sorted(slices.Values(audit.Events)), ", "))
	if meant := near.Nearest(o.event, audit.Events, min(2, len(o.event)/3)); meant != "" {
		err = exit.WithFlag(err, "--event "+meant)
	}
	return err
}

// filter returns a function that selects the lines to show, and the time in --since.
func (o *logOptions) filter(now time.Time, json bool, profile string) (keep func(audit.Line) bool, since time.Time, err error) {
	if !runID.MatchString(o.run) {
		return nil, since, exit.Usagef("--run %s: use the ID of a run, such as 5f0c2a9b", o.run)
	}
	if o.since != "" {
		if since, err = parseSince(o.since, now); err != nil {
			return nil, since, err
		}
	}
	return func(l audit.Line) bool {
		if l.Event == audit.End && o.event != audit.End && !json {
			return false // of no interest to a person
		}
		if profile != "" && l.Profile != profile {
			return false
		}
		named := (o.provider == "" || l.Provider == o.provider) && (o.event == "" || l.Event == o.event)
		return named && strings.HasPrefix(l.Run, o.run) && !l.Time.Before(since)
	}, since, nil
}

// runID matches the beginning of the ID of a run.
var runID = regexp.MustCompile(`^[0-9a-f]*$`)

// shortRun is the beginning of the ID of a run, which people use as its name.
func shortRun(id string) string { return id[:min(len(id), 8)] }

// parseSince reads a time, or a duration before now.
func parseSince(s string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, exit.Usagef("--since %s: use a time such as 30m, 7d, 2026-11-01 or 2026-11-01T12:00:00Z", s)
}

// logRow is a line as a row of a table: when, what, which connection, and how it
// ended. If the line is not about the profile in use, its profile is in the row.
func logRow(l audit.Line, profile string) []string {
	subject := l.Provider
	if l.Connection != "" {
		subject += "/" + l.Connection
	}
	if l.Profile != "" && l.Profile != profile {
		subject = l.Profile + ": " + subject
	}
	var details []string
	outcome, more, found := strings.Cut(l.Outcome, ": ")
	if found { // at the end of the line, where a list of hosts makes no column wide
		details = append(details, more)
	}
	if l.Method != "" {
		details = append(details, l.Method+" "+l.Host+l.Path)
	}
	if l.Status != 0 {
		details = append(details, fmt.Sprint(l.Status))
	}
	if l.Duration != 0 {
		details = append(details, time.Duration(l.Duration*float64(time.Second)).Round(time.Millisecond).String())
	}
	switch {
	case l.Event == audit.RunStart, l.Event == audit.RunEnd:
		details = append(details, runDetails(l)...)
	case l.Event == audit.Retention:
		details = append(details, "archives up to "+l.Deleted+" deleted")
	case l.Event == audit.Dropped:
		details = append(details, show.Plural(int(l.Count), "event")+" lost")
	case l.Count != 0:
		details = append(details, show.Plural(int(l.Count), "attempt"))
	}
	return []string{l.Time.Local().Format(time.DateTime), l.Event, subject, outcome, strings.Join(details, "  ")}
}

// runDetails says which run a line is about.
func runDetails(l audit.Line) []string {
	var details []string
	if l.Command != "" {
		details = append(details, l.Command)
	}
	if l.Agent != l.Command {
		details = append(details, "agent "+l.Agent)
	}
	if l.PID != 0 {
		details = append(details, fmt.Sprint("pid ", l.PID))
	}
	return append(details, "run "+shortRun(l.Run))
}
