package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/guard"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/runs"
)

// findProxy reports whether this process is behind a proxy that serves the home.
func (a *app) findProxy() (bool, error) {
	dir, err := home.DefaultDir(a.Getenv)
	if err != nil {
		dir = "" // a command that needs the home reports it
	}
	return guard.Behind(a.Getenv, dir)
}

// isolated reports whether an isolated run hides the home from this process.
func (a *app) isolated() bool {
	dir, err := home.DefaultDir(a.Getenv)
	return err == nil && runs.IsIsolated(dir)
}

// mayBeBehind is findProxy for what a command says. If it is not known, the words are
// those for an agent.
func (a *app) mayBeBehind() bool {
	behind, err := a.behind()
	return behind || err != nil
}

// refuseBehindProxy refuses behind the proxy what moves, widens, reveals or destroys a
// credential of the home that the proxy serves. It opens nothing.
func (a *app) refuseBehindProxy(cmd *cobra.Command) error {
	what, does := refusal(cmd)
	if does == "" {
		return nil
	}
	behind, err := a.behind()
	if err != nil {
		return fmt.Errorf("cannot find out whether this command is behind the authsome proxy: %w", err)
	}
	if !behind && !a.namesServedHome(cmd) {
		return nil
	}
	refused := &exit.RefusedError{
		Message: fmt.Sprintf("%s %s, so it is refused behind the authsome proxy", what, does),
		Next:    suggest.Command("%s", asTyped(cmd)),
	}
	if a.isolated() {
		refused.Message += "; the home is hidden from this isolated run: open another terminal"
	}
	if cmd.Name() == "run" {
		refused = &exit.RefusedError{Message: "already inside authsome run", Next: suggest.Advice("run %s directly", suggest.Words(cmd.Flags().Arg(0)))}
	}
	return refused
}

// refusal says which part of a command line is refused behind the proxy, and what it
// does. Both are empty if it is harmless.
func refusal(cmd *cobra.Command) (what, does string) {
	name := commandName(cmd)
	rule := guard.Command(name)
	switch {
	case rule.Does == "":
	case rule.Flag == "":
		return name, rule.Does
	case isSet(cmd.Flags().Lookup(rule.Flag)):
		return "--" + rule.Flag, rule.Does
	}
	cmd.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if rule := guard.GlobalFlag(f.Name); rule.Does != "" && isSet(f) {
			what, does = "--"+f.Name, rule.Does
		}
	})
	return what, does
}

// isSet reports whether a flag was given, and does not turn something off.
func isSet(f *pflag.Flag) bool {
	return f != nil && f.Changed && f.Value.String() != "" && f.Value.String() != "false"
}

// namesServedHome reports whether a command that works in another home names a file of
// one that the proxy serves: it may be read, or replaced.
func (a *app) namesServedHome(cmd *cobra.Command) bool {
	words := cmd.Flags().Args()
	cmd.Flags().Visit(func(f *pflag.Flag) { words = append(words, f.Value.String()) })
	return slices.ContainsFunc(words, func(word string) bool {
		path, err := filepath.Abs(word)
		if err != nil {
			return false
		}
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
		for up := filepath.Dir(path); ; path, up = up, filepath.Dir(up) {
			// Most directories are not homes, so an error means nothing.
			if behind, err := guard.Behind(a.Getenv, path); behind && err == nil {
				return true
			}
			if up == path {
				return false
			}
		}
	})
}

// asTyped is a command with its arguments and with the flags that name a connection. A
// person who runs it for an agent decides about all other flags, and is asked for
// confirmation.
func asTyped(cmd *cobra.Command) string {
	words := append(strings.Fields(commandName(cmd)), cmd.Flags().Args()...)
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && slices.Contains([]string{"connection", "to", "as", "show-secret"}, f.Name) {
			words = append(words, "--"+f.Name)
			if f.Value.Type() != "bool" {
				words = append(words, f.Value.String())
			}
		}
	})
	return suggest.Words(words...)
}
