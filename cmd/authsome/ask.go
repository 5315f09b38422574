package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/remote"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/proxyenv"
	"github.com/authsome/authsome/internal/runs"
)

// place is where a process is that asks a proxy instead of reading the home.
type place int

const (
	atHome    place = iota // it reads the home
	inRun                  // behind the proxy of a run, whose home it can also read
	inHidden               // in an isolated run, which hides the home
	atSidecar              // without a home; the proxy may be another program's
)

// source is the proxy that runs commands for this process, if it is not at home.
type source struct {
	place place
	proxy *url.URL
	home  string // the directory that this process takes for the home
}

// How long an answer may take. A proxy that is not known to be authsome's must not delay a
// command.
const (
	answerTime = 20 * time.Second
	probeTime  = 3 * time.Second
)

// findSource finds out where this process is. It asks nobody. The error means that an
// isolated run hides the home and does not say where its proxy is.
func (a *app) findSource() (source, error) {
	dir, err := home.DefaultDir(a.Getenv)
	if err != nil {
		return source{}, nil // the command reports it
	}
	if runs.IsIsolated(dir) {
		proxy, err := runs.IsolatedProxy(dir)
		if err != nil {
			return source{}, &exit.ProxyError{Message: fmt.Sprintf("cannot find the proxy of this isolated run: %s", exit.Message(err))}
		}
		return source{inHidden, proxy, dir}, nil
	}
	proxy := proxyOf(a.Getenv)
	if proxy == nil {
		return source{}, nil
	}
	if _, err := os.Stat(filepath.Join(dir, "version")); errors.Is(err, fs.ErrNotExist) {
		if a.Getenv(child.HomesVariable) != "" {
			return source{}, nil // the proxy is that of a run, which says that it serves another home
		}
		return source{atSidecar, proxy, dir}, nil
	}
	if behind, err := a.behind(); behind && err == nil {
		return source{inRun, proxy, dir}, nil
	}
	return source{}, nil
}

// proxyOf returns the proxy for https URLs in the environment, if it can be authsome's.
func proxyOf(getenv func(string) string) *url.URL {
	forHTTPS, _ := proxyenv.Find(getenv)
	u, err := url.Parse(forHTTPS.Value)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil
	}
	return u
}

// fromProxy makes a command ask the proxy, if this process is not at home.
func (a *app) fromProxy(cmd *cobra.Command) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		answer, err := a.ask(cmd, args)
		switch {
		case err != nil:
			return err
		case answer != nil:
			return a.pass(answer)
		}
		if err := a.resolveProvider(cmd, args); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// pass prints an answer as if this process had run the command. What the proxy sends
// cannot move the cursor, in case it is not authsome's.
func (a *app) pass(answer *remote.Answer) error {
	io.WriteString(a.Out, show.VisibleLines(answer.Stdout))
	io.WriteString(a.Err, show.VisibleLines(answer.Stderr))
	if answer.ExitCode != exit.OK {
		return exit.CodeError(answer.ExitCode)
	}
	return nil
}

// ask lets the proxy run a command. It returns nil if this process has to read the home,
// as it does if the proxy of a run does not answer for it.
func (a *app) ask(cmd *cobra.Command, args []string) (*remote.Answer, error) {
	if a.serving != "" {
		return nil, nil
	}
	s, err := a.source()
	if err != nil || s.place == atHome {
		return nil, err
	}
	wait := answerTime
	if s.place == atSidecar {
		wait = probeTime
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), wait)
	defer cancel()
	answer, err := remote.Ask(ctx, s.proxy, commandName(cmd), a.query(cmd, args, s.place))
	if cmd.Context().Err() != nil {
		return nil, cmd.Context().Err()
	}
	if err != nil {
		return nil, s.problem(err)
	}
	named := a.opener().NamedProfile()
	switch wrong := named != "" && named != answer.Profile; {
	case s.place == inRun && (wrong || !sameFile(answer.Home, s.home)):
		return nil, nil
	case wrong:
		return nil, exit.WithAdvice(exit.Usagef("the proxy serves the profile %s, and no other", show.Visible(answer.Profile)), "leave out --profile, and unset AUTHSOME_PROFILE")
	}
	return &answer, nil
}

// problem is the error of a command that the proxy did not run, or nil if this process
// reads the home then.
func (s source) problem(err error) error {
	_, refused := errors.AsType[*remote.RefusedError](err)
	reason := "does not answer: " + exit.Message(err)
	if refused {
		reason = "does not run the command: " + exit.Message(err)
	}
	switch {
	case s.place == inHidden:
		return &exit.ProxyError{Message: "the proxy of this isolated run " + reason, Next: suggest.ByPerson("open another terminal, or start this run again")}
	case s.place == atSidecar && refused:
		return &exit.ProxyError{Message: fmt.Sprintf("the authsome proxy at %s %s", s.proxy.Host, reason), Next: s.retry(err)}
	}
	return nil
}

// retry is what to do after the proxy of a sidecar refused this client.
func (s source) retry(err error) suggest.Suggestion {
	if e, ok := errors.AsType[*remote.RefusedError](err); ok && e.Code == intercept.CodeProxyAuthRequired {
		return suggest.Advice("set HTTPS_PROXY to http://authsome:TOKEN@%s", s.proxy.Host)
	}
	return suggest.Advice("try again, or create a home here: authsome init")
}

// query has what the proxy must know of a command line, and of this process.
func (a *app) query(cmd *cobra.Command, args []string, at place) url.Values {
	q := url.Values{}
	for _, name := range remote.Flags(commandName(cmd)) {
		f := cmd.Flags().Lookup(name)
		if !f.Changed {
			continue
		}
		q[name] = []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			q[name] = list.GetSlice()
		}
	}
	if len(args) > 0 {
		q.Set(remote.Argument(commandName(cmd)), args[0])
	}
	for name, on := range map[string]bool{"json": a.JSON, "quiet": a.Quiet} {
		if on {
			q.Set(name, "true")
		}
	}
	if width := show.LineWidth(a.Out); width > 0 {
		q.Set("width", strconv.Itoa(width))
	}
	// Nothing bypasses the proxy of an isolated run.
	if commandName(cmd) == "why" && at != inHidden {
		var entries []string
		for _, name := range noProxyVariables {
			entries = append(entries, strings.Fields(a.Getenv(name))...) // white space separates entries too
		}
		q.Set("no_proxy", strings.Join(entries, ","))
	}
	return q
}

func sameFile(one, other string) bool {
	a, errA := os.Stat(one)
	b, errB := os.Stat(other)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
