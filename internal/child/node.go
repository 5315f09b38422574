package child

import (
	_ "embed"
	"strings"
)

//go:embed node.cjs
var nodeScript []byte

// setNode makes Node use the proxy.
func (e *Environment) setNode(env map[string]string) {
	env["NODE_USE_ENV_PROXY"] = "1" // Node 22.21 and 24 ignore proxies without it; Node 20 ignores proxies in any case
	env["NODE_OPTIONS"] = strings.TrimSpace(env["NODE_OPTIONS"] + " --require " + nodeQuote(e.Files.Node))
}

// nodeQuote returns s as one word of NODE_OPTIONS.
func nodeQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
