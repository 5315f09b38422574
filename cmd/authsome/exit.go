package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// Exit codes, as the Python authsome had them.
const (
	exitOK                = 0
	exitError             = 1
	exitUsage             = 2
	exitProviderNotFound  = 3
	exitAuthentication    = 4
	exitCredentialMissing = 5
	exitRefresh           = 6
	exitStore             = 7
)

// usageError is a command line that cannot be meant.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usageErrorf(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// missingError is a credential that is not there.
type missingError struct{ message string }

func (e *missingError) Error() string { return e.message }

// hinted is an error with the next command to type.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

func withHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// lacking is an error that the same command does not meet with one flag more.
type lacking struct {
	error
	flag string // as it is typed, with its value
}

func (e *lacking) Unwrap() error { return e.error }

func withFlag(err error, flag string) error { return &lacking{err, flag} }

// exitCode is a child's exit code, passed on without a word.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// verdict is what an error means to the user: the code to exit with, its name
// for programs, and the command that mends it.
type verdict struct {
	exit int
	name string
	hint string
}

// judge is the one place where errors become exit codes and hints.
func judge(err error) verdict {
	v := classify(err)
	if h, ok := errors.AsType[*hinted](err); ok {
		v.hint = h.hint
	}
	return v
}

// again is the command as it was typed, with a flag more, or with another value for
// it. What goes for every command is left out.
func again(cmd *cobra.Command, flag string) string {
	words := append([]string{cmd.CommandPath()}, cmd.Flags().Args()...)
	name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), " ")
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		switch {
		case !f.Changed || f.Name == name:
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name)
		default:
			for _, value := range values {
				words = append(words, "--"+f.Name, value)
			}
		}
	})
	return strings.Join(append(words, flag), " ")
}

// advise adds the hint that only the command line tells.
func advise(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*lacking](err); ok {
		return withHint(err, "%s", again(cmd, e.flag))
	}
	if _, told := errors.AsType[*hinted](err); told {
		return err
	}
	if e, ok := errors.AsType[*providers.NotFoundError](err); ok && e.Near != "" && strings.Contains(cmd.Use, "PROVIDER") {
		args := cmd.Flags().Args()
		if i := slices.Index(args, e.Name); i >= 0 {
			args[i] = e.Near
			return withHint(err, "%s %s", cmd.CommandPath(), strings.Join(args, " "))
		}
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return withHint(err, "%s --help", cmd.CommandPath())
	}
	return err
}

func classify(err error) verdict {
	if _, ok := errors.AsType[*usageError](err); ok {
		return verdict{exitUsage, "UsageError", "authsome help"}
	}
	if e, ok := errors.AsType[*providers.NotFoundError](err); ok {
		if e.Near != "" {
			return verdict{exitProviderNotFound, "ProviderNotFound", "authsome list " + e.Near}
		}
		return verdict{exitProviderNotFound, "ProviderNotFound", "authsome list"}
	}
	if e, ok := errors.AsType[*auth.LoginRequiredError](err); ok {
		hint := loginCommand(e.Provider, e.Connection)
		if e.Reason != auth.ReasonMissing {
			hint += " --force" // it is there, and of no use
		}
		return verdict{exitCredentialMissing, "CredentialMissing", hint}
	}
	if errors.Is(err, auth.ErrRefreshUnavailable) {
		return verdict{exitRefresh, "RefreshFailed", "try again; the provider cannot be asked for a new token at the moment"}
	}
	if _, ok := errors.AsType[*missingError](err); ok {
		return verdict{exitCredentialMissing, "CredentialMissing", ""}
	}
	if e, ok := errors.AsType[*auth.ConnectedError](err); ok {
		return verdict{exitAuthentication, "AlreadyConnected", loginCommand(e.Provider, e.Connection) + " --force"}
	}
	if e, ok := errors.AsType[*auth.NoDefaultError](err); ok {
		return verdict{exitError, "NoDefaultConnection", "authsome default " + e.Provider + " " + e.Connections[0]}
	}
	if _, ok := errors.AsType[*loginError](err); ok {
		return verdict{exitAuthentication, "AuthenticationFailed", ""}
	}
	if _, ok := errors.AsType[*missingValueError](err); ok {
		return verdict{exitAuthentication, "AuthenticationFailed", ""}
	}
	if _, ok := errors.AsType[*valueError](err); ok {
		return verdict{exitAuthentication, "AuthenticationFailed", ""}
	}
	if v, ok := classifyTransfer(err); ok {
		return v
	}
	if v, ok := classifyKey(err); ok {
		return v
	}
	if v, ok := classifyStore(err); ok {
		return v
	}
	if _, ok := errors.AsType[*providers.FieldError](err); ok {
		return verdict{exitError, "InvalidDefinition", ""}
	}
	if errors.Is(err, providers.ErrInstalled) {
		return verdict{exitError, "AlreadyRegistered", "authsome register FILE --force"}
	}
	return verdict{exitError, "Error", ""}
}

func classifyStore(err error) (verdict, bool) {
	unavailable := func(hint string) (verdict, bool) { return verdict{exitStore, "StoreUnavailable", hint}, true }
	if e, ok := errors.AsType[*home.AccessError](err); ok {
		return unavailable(e.Remedy)
	}
	if _, ok := errors.AsType[*vault.DamageError](err); ok {
		return unavailable("authsome vault check")
	}
	switch {
	case errors.Is(err, home.ErrNoProfile):
		return verdict{exitUsage, "ProfileNotFound", "authsome profile list"}, true
	case errors.Is(err, home.ErrProfileExists):
		return verdict{exitUsage, "ProfileExists", "authsome profile list"}, true
	case errors.Is(err, home.ErrDefaultProfile):
		return verdict{exitUsage, "DefaultProfile", "authsome profile use NAME"}, true
	case errors.Is(err, home.ErrNewer), errors.Is(err, vault.ErrNewerFormat):
		return unavailable("install the authsome that made it, or a later one")
	case errors.Is(err, vault.ErrLocked):
		return unavailable("try again; authsome processes hold the vault for milliseconds")
	case errors.Is(err, vault.ErrWrongKey):
		return unavailable("put the master.key back that belongs to this home, or authsome vault restore FILE --force")
	case errors.Is(err, vault.ErrKeyExposed):
		return unavailable("chmod 600 the file, as its owner")
	case errors.Is(err, vault.ErrNotBackup):
		return verdict{exitError, "InvalidBackup", "check the passphrase or the identity, and the file; nothing was changed"}, true
	case errors.Is(err, vault.ErrNotEmpty):
		return verdict{exitError, "VaultNotEmpty", "authsome vault restore FILE --force"}, true
	case errors.Is(err, vault.ErrOtherProfile):
		return verdict{exitUsage, "OtherProfile", ""}, true
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return unavailable("free some space and try again; what is stored is as it was")
	case errors.Is(err, syscall.EROFS):
		return unavailable("the disk is read-only: list, get and run work, changes do not")
	case errors.Is(err, syscall.EIO):
		return unavailable("the disk reports errors: look at the system's log, and authsome vault check")
	case errors.Is(err, fs.ErrPermission):
		return unavailable("run it as the user who owns the file")
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable("try again")
	}
	return verdict{}, false
}

func loginCommand(provider, connection string) string {
	command := "authsome login " + provider
	if connection != "" && connection != auth.DefaultName {
		command += " --connection " + connection
	}
	return command
}

// here is a command for the profile that --profile named: as it is, it would act on
// another.
func (a *app) here(command string) string {
	arguments, ours := strings.CutPrefix(command, "authsome ")
	general := strings.HasPrefix(arguments, "profile ") || strings.HasPrefix(arguments, "help") || strings.Contains(arguments, "--help")
	if a.profileNamed == "" || !ours || general || strings.Contains(arguments, "--profile") {
		return command
	}
	return "authsome --profile " + a.profileNamed + " " + arguments
}

// fail tells about an error and returns the exit code.
func (a *app) fail(err error) int {
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	v := judge(err)
	v.hint = a.here(v.hint)
	// Messages of cobra and the system may have several lines or a capital; ours
	// have neither.
	message := strings.TrimSpace(err.Error())
	if a.json {
		a.printJSON(struct {
			Error   string `json:"error"`
			Message string `json:"message"`
			Hint    string `json:"hint,omitempty"`
		}{v.name, message, v.hint})
		return v.exit
	}
	fmt.Fprintf(a.stderr, "authsome: %s %s\n", a.paint(a.stderr, red, "error:"), visibleLines(message))
	if v.hint != "" {
		fmt.Fprintf(a.stderr, "authsome: %s %s\n", a.paint(a.stderr, faint, "hint:"), visibleLines(v.hint))
	}
	return v.exit
}
