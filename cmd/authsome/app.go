package main

import (
	"context"
	"os"
	"sync"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// app is what the commands share: the console, and the opener of everything else.
type app struct {
	*console.Console

	// Global flags that are not the console's.
	verbose bool
	logFile string

	// opener is made from the flags when it is first called, and never changes.
	opener func() *opener.Opener

	// behind reports whether this process is behind a proxy that serves the home; see
	// behind.go.
	behind func() (bool, error)

	// source returns the proxy that runs commands for this process, which cannot read the
	// home itself, or should not; see ask.go.
	source func() (source, error)

	// serving is the name of the command whose clients this app runs a command for, or
	// empty; see serve.go.
	serving string
}

func newApp() *app {
	a := &app{Console: &console.Console{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv}}
	a.opener = sync.OnceValue(a.newOpener)
	a.behind = sync.OnceValues(a.findProxy)
	a.source = sync.OnceValues(a.findSource)
	a.Behind = a.mayBeBehind
	return a
}

func (a *app) newOpener() *opener.Opener {
	o := opener.Options{
		Getenv: a.Getenv, Profile: a.Profile, Passphrase: a.passphrase, Warnf: a.Warnf, Waitingf: a.Waitingf,
		Log: opener.LogOptions{File: a.logFile, Verbose: a.verbose, Stderr: a.Err},
	}
	return opener.New(o)
}

func (a *app) home() (*home.Home, error) { return a.opener().Home() }

func (a *app) profile() (*opener.Profile, error) { return a.opener().Profile() }

func (a *app) providers() (*providers.Set, error) { return a.opener().Providers() }

// vault is that of the profile in use.
func (a *app) vault() (*vault.Vault, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	return p.Vault()
}

// auth are the connections of the profile in use.
func (a *app) auth() (*auth.Auth, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	return p.Auth()
}

// record writes an event of the profile in use to the audit log.
func (a *app) record(e audit.Event) error {
	p, err := a.profile()
	if err != nil {
		return err
	}
	return p.Record(e)
}

// recordNow is record, and returns when the event is on disk.
func (a *app) recordNow(ctx context.Context, e audit.Event) error {
	p, err := a.profile()
	if err != nil {
		return err
	}
	return p.RecordNow(ctx, e)
}

func (a *app) close() {
	a.opener().Close()
	a.Console.Close()
}
