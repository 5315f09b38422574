package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/doctor"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/internal/durable"
)

// stdoutReport is the value of --report for stdout.
const stdoutReport = "-"

func newDoctorCmd(a *app) *cobra.Command {
	var report string
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check that everything works, and say what to do if not",
		Long: `Doctor checks the home directory, the master key, the vault (with a record that
it writes, reads and deletes), the definitions, the connections, the audit log,
the clock, and this system's proxies and certificates. For each problem it says
what to do.

Inside authsome run it checks the agent's side: the variables, whether the proxy
answers, whether each installed client uses and trusts it, and whether traffic
can bypass it. It asks the proxy about the home.

The exit code is 1 if there is a problem.

--report prints a report for a bug report instead, or writes it to FILE, which
must not exist. It has the results of the checks, versions, the configuration,
and the last lines of the log, and no secrets and no names of users, hosts or
accounts: it says at its start what it contains. The exit code is then 0.`,
		Example: `  authsome doctor
  authsome run -- authsome doctor
  authsome doctor --report report.md`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && report == stdoutReport {
				return nil // --report FILE
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &doctor.Doctor{Console: a.Console, Opener: a.opener(), KeyFiles: a.exposedFiles}
			if a.serving != "" {
				return d.WriteServed(cmd.Context())
			}
			d.Client = a.doctorClient(cmd)
			switch {
			case !cmd.Flags().Changed("report"):
				return d.Run(cmd.Context())
			case report == "":
				return exit.Usagef("--report needs the name of a file, or - for stdout")
			case len(args) == 1:
				report = args[0]
			}
			return writeReport(cmd.Context(), a, d, report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&report, "report", "", "write a report for a bug report to `FILE`, or to stdout without FILE")
	f.Lookup("report").NoOptDefVal = stdoutReport
	return cmd
}

// doctorClient asks the proxy about the home. It returns nil if this process reads the
// home.
func (a *app) doctorClient(cmd *cobra.Command) *doctor.Client {
	answer, err := a.ask(cmd, nil)
	if answer == nil && err == nil {
		return nil
	}
	s, _ := a.source() // its error is that of ask
	c := &doctor.Client{Isolated: a.isolated(), Sidecar: s.place == atSidecar, Err: err}
	if answer != nil {
		c.Read(answer.Stdout)
	}
	return c
}

// writeReport writes a report to a new file, or to stdout.
func writeReport(ctx context.Context, a *app, d *doctor.Doctor, path string) error {
	if path != stdoutReport {
		if err := checkDirectory(filepath.Dir(path), "--report: "); err != nil {
			return err
		}
		if _, err := os.Lstat(path); err == nil {
			return exit.WithAdvice(exit.Usagef("--report: %s already exists", path), "choose another name, or delete the file")
		}
	}
	var text bytes.Buffer
	build := doctor.Build{}
	build.Version, build.Revision = buildVersion()
	if err := d.WriteReport(ctx, &text, build); err != nil {
		return err
	}
	if path == stdoutReport {
		_, err := a.Out.Write(text.Bytes())
		return err
	}
	if err := durable.Create(path, text.Bytes()); err != nil {
		if errors.Is(err, os.ErrExist) {
			return exit.Usagef("--report: %s already exists", path)
		}
		return fmt.Errorf("write the report: %w", err)
	}
	if a.JSON {
		return a.PrintJSON(struct {
			File string `json:"file"`
		}{path})
	}
	a.Infof("wrote the report to %s; read it before you post it", path)
	return nil
}
