package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/demo"
)

func newDemoCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "Show on this machine what authsome does",
		Long: `Demo starts a small HTTPS service on loopback, stores a made-up key for it in
the vault of a temporary home, and runs an agent behind the proxy. It prints
what the agent had and what the service received, and exits with 0 only if the
agent never had the key. It then does the same with an OAuth token that expires
while the agent works, and with an agent in a fence that looks for a way out, if
this machine can isolate it. Nothing leaves the machine.`,
		Example: "  authsome demo",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), demo.Timeout)
			defer cancel()
			return demo.Run(ctx, a.Out)
		},
	}
	cmd.AddCommand(newDemoAgentCmd(a), newDemoBrowserCmd())
	return cmd
}

// newDemoAgentCmd is the demo's agent. It is in this binary so that the demo needs no
// other program.
func newDemoAgentCmd(a *app) *cobra.Command {
	var longer bool
	var home, address string
	cmd := &cobra.Command{
		Use: "agent", Short: "Run the demo's agent", Hidden: true,
		Long:    "Agent is the program that authsome demo runs behind the proxy. It reads its key\nfrom the environment, calls two hosts, and reports what it received.",
		Example: "  authsome demo",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if home != "" {
				return demo.Escape(cmd.Context(), a.Out, home, address)
			}
			return demo.Agent(cmd.Context(), a.Out, longer)
		},
	}
	cmd.Flags().BoolVar(&longer, "longer", false, "send requests until after the token has expired")
	cmd.Flags().StringVar(&home, "escape", "", "look for the key in the home `DIR`, and for a way around the proxy")
	cmd.Flags().StringVar(&address, "to", "", "with --escape: the `ADDRESS` of the service")
	return cmd
}

// newDemoBrowserCmd is the browser of the demo's sign-in.
func newDemoBrowserCmd() *cobra.Command {
	return &cobra.Command{
		Use: "browser URL", Short: "Follow a sign-in as a browser does", Hidden: true,
		Long:    "Browser is the program that authsome demo gives to login as a browser: it opens\nURL and follows its redirects.",
		Example: "  authsome demo",
		Args:    exactArgs("URL"),
		RunE:    func(cmd *cobra.Command, args []string) error { return demo.Browse(cmd.Context(), args[0]) },
	}
}
