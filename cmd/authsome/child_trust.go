package main

import (
	"slices"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
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
		return nil
	}, func(err error) { c.app.opener().Log().Info("left out of --trust all", "because", err) })
}

func (c *childSetup) addJava(roots, extra []byte) error {
	if c.proxy.User != nil {
		c.app.Warnf("Java's requests will be refused: on this system the proxy requires a token, which Java does not send for https")
	}
	store, err := ca.TrustStore(c.authority, roots, extra)
	if err != nil {
		return err
	}
	return c.files.AddJava(store)
}
