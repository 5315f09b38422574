package main

import (
	"slices"
	"time"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/child"
)

// checkTrust returns an error if --trust names an unknown runtime.
func checkTrust(names []string) error {
	if unknown := child.UnknownRuntime(names); unknown != "" || slices.Contains(names, "") {
		return exit.Usagef("--trust %s: use %s; other clients need no option", unknown, child.RuntimeNames())
	}
	return nil
}

// addRuntimes sets up the runtimes that --trust names.
func (c *childSetup) addRuntimes(roots, extra []byte) error {
	return child.AddRuntimes(c.trust, func(runtime string) error {
		switch runtime {
		case child.Java:
			return c.addJava(roots, extra)
		case child.PHP:
			return c.files.AddPHP()
		case child.Python:
			return c.files.AddPython()
		}
		return c.addChromium()
	}, func(err error) { c.app.opener().Log().Info("left out of --trust all", "because", err) })
}

// chromiumLifetime is how long Chromium trusts the authority of a run that could not
// remove it at its end.
const chromiumLifetime = 7 * 24 * time.Hour

func (c *childSetup) addChromium() error {
	hosts := []string{intercept.SelfHost}
	for _, r := range c.table.Routes() {
		hosts = append(hosts, r.Host)
	}
	certificate, err := c.authority.Constrained(hosts, chromiumLifetime)
	if err != nil {
		return err
	}
	return c.files.AddChromium(c.app.Getenv, c.authority.Certificate().Subject.CommonName, certificate)
}

func (c *childSetup) addJava(roots, extra []byte) error {
	if c.proxy.User != nil {
		c.app.Warnf("Java's requests will be refused: on this system the proxy requires a token, which Java does not send for https")
	}
	store, err := ca.TrustStore(c.authority.CertificatePEM(), roots, extra)
	if err != nil {
		return err
	}
	return c.files.AddJava(store)
}
