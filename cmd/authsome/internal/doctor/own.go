package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/runs"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// ownChecks returns the checks of the user's side.
func (d *Doctor) ownChecks() []check {
	return []check{
		d.checkHome, d.checkRuns, d.checkVault, d.checkDefinitions, d.checkConnections, d.checkRoutes, d.checkAudit,
		d.checkClock, d.checkUpstreamProxies, d.checkTrust, d.checkPeers, d.checkIsolation, d.checkKeyFiles, d.checkClients,
	}
}

func (d *Doctor) checkHome(context.Context) []finding {
	h, err := d.Opener.Home()
	if err != nil {
		return failed("home", err)
	}
	p, err := d.Opener.Profile()
	if err != nil {
		return failed("home", err)
	}
	all := ok("home", "%s, profile %s", h.Dir, p.Name)
	if unknown := h.Config.UnknownMembers(); len(unknown) > 0 {
		all = append(all, warning("config", "config.json has members that this version does not know and ignores: "+strings.Join(unknown, ", "),
			suggest.Advice("remove them, unless another version of authsome needs them"))...)
	}
	return all
}

// checkRuns removes what runs that were killed have left behind in the list of runs.
func (d *Doctor) checkRuns(context.Context) []finding {
	h, err := d.Opener.Home()
	if err != nil || runtime.GOOS != "linux" {
		return nil // the home's check reports it; other systems have no list
	}
	running, removed, err := runs.Clean(h.Dir)
	if err != nil {
		return failed("runs", err)
	}
	detail := show.Plural(running, "run") + " in progress"
	if removed > 0 {
		detail += ", removed the entry of " + show.Plural(removed, "run") + " that ended without doing so"
	}
	return ok("runs", "%s", detail)
}

// probeKey is the record that is written, read and deleted.
const probeKey = "doctor:probe"

// checkedVault is the name of the check of the vault.
const checkedVault = "vault"

func (d *Doctor) vault() (*vault.Vault, error) {
	p, err := d.Opener.Profile()
	if err != nil {
		return nil, err
	}
	return p.Vault()
}

func (d *Doctor) checkVault(ctx context.Context) []finding {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	v, err := d.vault()
	if err != nil {
		return failed(checkedVault, err)
	}
	begin := time.Now()
	if err := probe(ctx, v); err != nil {
		return failed(checkedVault, err)
	}
	return ok(checkedVault, "a record was written, read and deleted in %s", time.Since(begin).Round(time.Millisecond))
}

func probe(ctx context.Context, v *vault.Vault) error {
	value := []byte(time.Now().Format(time.RFC3339Nano))
	if err := v.Update(ctx, func(tx *vault.Tx) error { return tx.Put(probeKey, value) }); err != nil {
		return err
	}
	err := v.View(ctx, func(tx *vault.Tx) error {
		got, err := tx.Get(probeKey)
		if err == nil && !bytes.Equal(got, value) {
			err = errors.New("the vault returned another value than was stored")
		}
		return err
	})
	if err != nil {
		return err
	}
	return v.Update(ctx, func(tx *vault.Tx) error { return tx.Delete(probeKey) })
}

func (d *Doctor) checkDefinitions(context.Context) []finding {
	set, err := d.Opener.Providers()
	if err != nil {
		return failed("definitions", err)
	}
	var all []finding
	for _, p := range set.Problems {
		all = append(all, inReport("ignored "+p.Path+"; the reason is not in the report", problem("definitions", p.String(), suggest.Command("register %s --check", suggest.Words(p.Path))))...)
	}
	for _, p := range set.Disabled {
		all = append(all, inReport(p.Path+" has a part that is ignored", problem("definitions", p.String(), suggest.Advice("remove this from the file; nothing else changes")))...)
	}
	if all == nil {
		return ok("definitions", "%s", show.Plural(len(set.All()), "provider"))
	}
	return all
}

// expirySoon is how long before its expiry a credential that cannot be refreshed is
// reported.
const expirySoon = 7 * 24 * time.Hour

func (d *Doctor) checkConnections(ctx context.Context) []finding {
	p, err := d.Opener.Profile()
	if err != nil {
		return failed("connections", err)
	}
	connections, err := p.Connections(ctx)
	if err != nil {
		return failed("connections", err)
	}
	set, err := d.Opener.Providers()
	if err != nil {
		return failed("connections", err)
	}
	credentials, err := p.Auth()
	if err != nil {
		return failed("connections", err)
	}
	now := time.Now()
	var all []finding
	for _, c := range connections {
		name := c.Provider + "/" + c.Name
		if _, err := set.Lookup(c.Provider); err != nil {
			next := suggest.Command("remove %s", c.Provider)
			all = append(all, problem("connections", name+" is not used: the definition of "+c.Provider+" is missing; register it again, or delete what is stored", next)...)
			continue
		}
		if _, adds, err := credentials.Definition(c); err == nil && !adds.Empty() {
			all = append(all, warning("connections", name+" does not use the changed definition of "+c.Provider+", which "+adds.String(),
				suggest.Accept(c.Provider, c.Name))...)
		}
		login, rejected := c.Err(now), p.RejectedSince(c)
		switch {
		case login != nil:
			all = append(all, problem("connections", name+" needs a new login, and its requests are refused: "+login.Detail(), suggest.Login(c.Provider, c.Name))...)
		case !rejected.IsZero() && !c.Renewable(now):
			all = append(all, warning("connections", name+" was rejected by its service "+show.Relative(rejected, now), suggest.Command("status %s", c.Provider))...)
		case !c.ExpiresAt.IsZero() && c.RefreshToken.IsZero() && c.ExpiresAt.Sub(now) < expirySoon:
			all = append(all, warning("connections", name+" expires "+show.Relative(c.ExpiresAt, now)+" and cannot be refreshed", suggest.Relogin(c.Provider, c.Name))...)
		}
	}
	if all == nil {
		return ok("connections", "%s, all usable", show.Plural(len(connections), "connection"))
	}
	return all
}

// table is the routing table that a proxy would have now.
func (d *Doctor) table(ctx context.Context) (*routing.Table, error) {
	p, err := d.Opener.Profile()
	if err != nil {
		return nil, err
	}
	return p.Routes(ctx)
}

// checkRoutes asks the table that a proxy would have what is ambiguous in it.
func (d *Doctor) checkRoutes(ctx context.Context) []finding {
	t, err := d.table(ctx)
	if err != nil {
		return failed("routes", err)
	}
	var all, served []finding
	for _, p := range t.Problems() {
		refused := fmt.Sprintf("requests to %s/%s get no credential", p.Provider, p.Connection)
		all = append(all, inReport(refused, problem("routes", fmt.Sprintf("%s: %v", refused, p.Err), suggest.Relogin(p.Provider, p.Connection)))...)
	}
	for _, c := range explain.Contests(t) {
		switch {
		case c.Ambiguous():
			all = append(all, warning("routes", c.String(), c.Fix())...)
		case c.Notable():
			served = append(served, ok("routes", "%s", c)...)
		}
	}
	if all == nil {
		all = ok("routes", "%s, none ambiguous", show.Plural(t.Len(), "route"))
	}
	return append(all, served...)
}

func (d *Doctor) checkAudit(ctx context.Context) []finding {
	h, err := d.Opener.Home()
	if err != nil {
		return nil // the home's check reports it
	}
	keys, err := d.Opener.AuditKeys(ctx)
	if err != nil {
		return nil // the vault's check reports it
	}
	r, err := audit.Verify(h.AuditPath(), keys)
	switch {
	case err != nil:
		return failed("audit log", err)
	case len(r.Problems) > 0:
		return problem("audit log", "it was changed: "+r.Problems[0].String(), suggest.Command("log --verify"))
	}
	return ok("audit log", "%s, none changed", show.Plural(r.Lines, "line"))
}
