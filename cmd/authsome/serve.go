package main

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/remote"
)

// runForClients returns the handler that runs commands for the clients of this process's
// proxy, with what this process has open. They run as behind the proxy, so they send no
// credential, and they only read. The flags are those of the proxy, and serving is the name
// of the command that was given them.
func (a *app) runForClients(serving string, flags *proxyOptions) http.Handler {
	return remote.Handler(func(ctx context.Context, c remote.Call) (remote.Answer, error) {
		h, err := a.home()
		if err != nil {
			return remote.Answer{}, err
		}
		p, err := a.profile()
		if err != nil {
			return remote.Answer{}, err
		}
		out, problems := c.Output(), c.Output()
		client := a.forClient(c, serving)
		client.Out, client.Err = out, problems
		args := slices.Concat(c.Args[:1], a.ownFlags(c, flags), c.Args[1:])
		answer, err := c.Answer(out, problems, executeRoot(ctx, client, newServedCmd(client), args))
		answer.Home, answer.Profile = h.Dir, p.Name
		return answer, err
	})
}

// forClient is the app for one command of a client. Of the environment it has only what
// the client sent.
func (a *app) forClient(c remote.Call, serving string) *app {
	getenv := func(name string) string {
		if name == "NO_PROXY" {
			return c.NoProxy
		}
		return ""
	}
	shared := a.opener().Shared()
	return &app{
		Console: &console.Console{In: strings.NewReader(""), Getenv: getenv, Behind: func() bool { return true }},
		opener:  func() *opener.Opener { return shared },
		behind:  func() (bool, error) { return true, nil },
		serving: serving,
	}
}

// newServedCmd has the commands that clients can choose, and not their completion, whose
// functions would never be released.
func newServedCmd(a *app) *cobra.Command {
	root := newBareRootCmd(a)
	root.AddCommand(a.fromProxy(newListCmd(a)), a.fromProxy(newStatusCmd(a)), a.fromProxy(newWhyCmd(a)), a.fromProxy(newWhoamiCmd(a)), newDoctorCmd(a))
	return root
}

// ownFlags are the flags that this process adds to the command of a client. Suggested
// commands name the profile as this process was given it, and why decides as the proxy
// does, unless the client gives one of the flags for that.
func (a *app) ownFlags(c remote.Call, flags *proxyOptions) []string {
	var own []string
	if a.Profile != "" {
		own = append(own, "--profile="+a.Profile)
	}
	decides := func(flag string) bool { return flag == "provider" || flag == "connection" || flag == "unmatched" }
	if c.Args[0] != "why" || slices.ContainsFunc(c.Flags, decides) {
		return own
	}
	own = append(own, "--unmatched="+flags.unmatched)
	for _, provider := range flags.providers {
		own = append(own, "--provider="+provider)
	}
	for _, connection := range flags.connections {
		own = append(own, "--connection="+connection)
	}
	return own
}
