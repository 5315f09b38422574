package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/vault"
)

// Client is a process that asks the proxy about the home.
type Client struct {
	Isolated bool // an isolated run hides the home
	Sidecar  bool // the proxy is not that of a run, so that nobody set the variables for its command

	Err    error // the proxy did not answer
	served served
}

// served is what the process of a proxy finds out for its clients.
type served struct {
	Findings  []finding      `json:"findings"`
	Addresses []string       `json:"addresses"` // of the intercepted hosts
	Original  originalAnswer `json:"original"`
}

// WriteServed runs the checks of the home that change nothing and prints their findings,
// for [Client.Read].
func (d *Doctor) WriteServed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	checks := []check{d.checkHome, d.checkVaultReads, d.checkDefinitions, d.checkConnections, d.checkRoutes}
	findings := d.find(ctx, checks, func(finding) {})
	v := served{Findings: findings, Addresses: []string{}, Original: d.original(findings)}
	if t, err := d.table(ctx); err == nil {
		v.Addresses = append(v.Addresses, addresses(t)...)
	}
	return d.Console.PrintJSON(v)
}

// Read reads what [Doctor.WriteServed] printed in the process of the proxy.
func (c *Client) Read(text string) {
	if json.Unmarshal([]byte(text), &c.served) != nil {
		c.Err = errors.New("the proxy has another version of authsome")
	}
	for i, f := range c.served.Findings {
		// The proxy may be another program.
		c.served.Findings[i] = finding{Check: show.Visible(f.Check), Status: f.Status, Detail: show.Visible(f.Detail), Remedy: show.Visible(f.Remedy), Who: show.Visible(f.Who)}
	}
}

// checkVaultReads is checkVault without writing.
func (d *Doctor) checkVaultReads(ctx context.Context) []finding {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	v, err := d.vault()
	if err != nil {
		return failed(checkedVault, err)
	}
	err = v.View(ctx, func(tx *vault.Tx) error {
		_, err := tx.Get(probeKey)
		return err
	})
	if err != nil && !errors.Is(err, vault.ErrNotFound) {
		return failed(checkedVault, err)
	}
	return ok(checkedVault, "the proxy can read it")
}

// checksOfClient returns the checks for a process that asks the proxy about the home.
func (d *Doctor) checksOfClient() []check {
	checks := d.checksBehindProxy()
	if d.Client.Sidecar {
		checks = checks[1:] // not the variables
	}
	last := len(checks) - 1 // of the clients, which take long
	return slices.Insert(checks, last, d.checkServed)
}

// checkServed returns what the proxy found out.
func (d *Doctor) checkServed(context.Context) []finding {
	if d.Client.Err != nil {
		return problem("home", exit.Message(d.Client.Err), exit.Judge(d.Client.Err).Next)
	}
	return d.Client.served.Findings
}
