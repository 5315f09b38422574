package main

import (
	"context"
	"errors"
	"slices"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/routing"
)

// sharedView is what a connection shares with others, in --json.
type sharedView struct {
	Hosts    []string `json:"hosts"`
	With     []string `json:"with"`                // the other connections, as PROVIDER/NAME
	ServedBy string   `json:"served_by,omitempty"` // the connection that serves the requests; without it, they are refused
	Fix      string   `json:"fix,omitempty"`       // makes this connection serve them, if it does not
	Who      string   `json:"who,omitempty"`       // "person" behind the proxy
}

func choiceOf(c auth.Connection) routing.Choice {
	return routing.Choice{Provider: c.Provider, Connection: c.Name}
}

// contestsOf returns what a connection shares with others, as far as people should know.
func contestsOf(t *routing.Table, c routing.Choice) []explain.Contest {
	return slices.DeleteFunc(explain.Contests(t), func(s explain.Contest) bool { return !s.Has(c) || !s.Notable() })
}

func (a *app) viewShared(t *routing.Table, c auth.Connection) []sharedView {
	var all []sharedView
	for _, s := range contestsOf(t, choiceOf(c)) {
		v := sharedView{Hosts: s.Hosts, With: explain.Names(s.Others(choiceOf(c)))}
		if !s.Ambiguous() {
			v.ServedBy = explain.Name(s.Server)
		}
		if s.Server != choiceOf(c) {
			fix, _ := s.FixFor(choiceOf(c))
			v.Fix, v.Who = a.Next(fix)
		}
		all = append(all, v)
	}
	return all
}

// contestLine says who serves what several connections cover, and the command that makes
// c serve it, or another one if c does already or is zero.
func (a *app) contestLine(s explain.Contest, c routing.Choice) string {
	if s.Ambiguous() {
		return s.String() + ": " + a.Suggest(s.Fix())
	}
	if others := s.Others(s.Server); !slices.Contains(others, c) {
		c = others[0]
	}
	return s.String() + "; to use " + explain.Name(c) + " " + a.preferring(s, c)
}

// preferring names the command that makes c serve the requests, and says where: c may also
// share other hosts.
func (a *app) preferring(s explain.Contest, c routing.Choice) string {
	fix, more := s.FixFor(c)
	if more {
		return "there and on the other hosts that it shares: " + a.Suggest(fix)
	}
	return "there: " + a.Suggest(fix)
}

// keptFrom returns what other connections serve although c, which was just changed, covers
// it too, and what is refused because of that. The change is done, so an error is only
// reported.
func (a *app) keptFrom(ctx context.Context, c auth.Connection) []explain.Contest {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	t, err := a.routes(ctx)
	if err != nil {
		a.Warnf("cannot read which connection serves the hosts of %s: %v", c.Provider, err)
		return nil
	}
	return slices.DeleteFunc(contestsOf(t, choiceOf(c)), func(s explain.Contest) bool { return s.Server == choiceOf(c) })
}

// settle says what c, which was just stored, does not serve. On a terminal it asks whether
// it serves that from now on; without an answer, nothing changes.
func (a *app) settle(ctx context.Context, c auth.Connection, kept []explain.Contest) error {
	for _, s := range kept {
		t := a.Terminal()
		if t == nil || a.JSON {
			a.Notef("%s", a.contestLine(s, choiceOf(c)))
			continue
		}
		a.Notef("%s", s)
		err := a.Confirm(ctx, "Use "+explain.Name(choiceOf(c))+" there from now on?", "")
		if errors.Is(err, terminal.ErrDeclined) || errors.Is(err, terminal.ErrInterrupted) {
			fix, _ := s.FixFor(choiceOf(c))
			a.Notef("nothing changes there; to change it later: %s", a.Suggest(fix))
			continue
		}
		if err != nil {
			return err
		}
		if err := a.prefer(ctx, s.Preference(choiceOf(c)), s.Keys); err != nil {
			return err
		}
	}
	return nil
}
