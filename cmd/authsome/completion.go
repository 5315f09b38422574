package main

import (
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// shells are those that completion has a script for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletionCmd() *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use: "completion SHELL", Short: "Print a completion script for a shell",
		Long: `Completion prints a script for bash, zsh, fish or powershell. After the shell
has read it, Tab completes commands, flags, providers, connections, profiles and
the other values that a flag can have. Completion changes nothing and asks
nothing: if the master key is in the keyring or has a passphrase, connections
are not completed.`,
		Example: `  source <(authsome completion bash)
  authsome completion zsh > "${fpath[1]}/_authsome"
  authsome completion fish > ~/.config/fish/completions/authsome.fish`,
		Args: exactArgs("SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, !plain)
			case "zsh":
				if plain {
					return root.GenZshCompletionNoDesc(out)
				}
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, !plain)
			case "powershell":
				if plain {
					return root.GenPowerShellCompletion(out)
				}
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return exit.Usagef("unknown shell %q: use bash, zsh, fish or powershell", args[0])
		},
	}
	cmd.Flags().BoolVar(&plain, "no-descriptions", false, "leave out the descriptions of commands and flags")
	return cmd
}
