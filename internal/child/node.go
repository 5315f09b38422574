package child

import (
	_ "embed"
	"strings"
)

//go:embed node.cjs
var nodeScript []byte

// setNode makes Node and Bun load the script that connects them through the proxy.
func (e *Environment) setNode(env map[string]string) {
	env["NODE_OPTIONS"] = strings.TrimSpace(env["NODE_OPTIONS"] + " --require " + nodeQuote(e.Files.Node))
	env["BUN_OPTIONS"] = strings.TrimSpace(env["BUN_OPTIONS"] + " " + bunQuote("--preload="+e.Files.Node))
}

// nodeQuote returns s as one word of NODE_OPTIONS.
func nodeQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// bunQuote returns s as one word of BUN_OPTIONS. Bun has no escapes there.
func bunQuote(s string) string {
	if strings.ContainsAny(s, " \t") {
		return `"` + s + `"`
	}
	return s
}
