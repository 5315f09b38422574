package main

import (
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/doctor"
)

func newDoctorCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Check that everything works, and say what to do if not",
		Long: `Doctor checks the home directory, the master key, the vault (with a record that it
writes, reads and deletes), the definitions, the connections, the audit log, the
clock, and this system's proxies and certificates. For each problem it says what to
do.

Inside authsome run it checks the agent's side: the variables, whether the proxy
answers, whether each installed client uses and trusts it, and whether traffic can
bypass it.

The exit code is 1 if there is a problem.`,
		Example: `  authsome doctor
  authsome run -- authsome doctor`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return (&doctor.Doctor{Console: a.Console, Opener: a.opener()}).Run(cmd.Context())
		},
	}
}
