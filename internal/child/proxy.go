package child

import (
	"slices"
	"strings"
)

// proxyVariables are read by different clients: wget and gRPC read only the lower
// case, and Ruby uses http_proxy for https too.
var proxyVariables = []string{
	"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "grpc_proxy",
	"ws_proxy", "wss_proxy", // Python websockets
}

// proxyVariablesIfSet are read by clients that prefer them to the others. They are changed
// only if the parent has set them, because most of these clients use them for hosts in
// NO_PROXY too.
var proxyVariablesIfSet = []string{"PIP_PROXY", "CARGO_HTTP_PROXY", "YARN_HTTP_PROXY", "YARN_HTTPS_PROXY", "GLOBAL_AGENT_HTTP_PROXY", "GLOBAL_AGENT_HTTPS_PROXY"}

func (e *Environment) setProxy(env map[string]string) []Dropped {
	for _, name := range proxyVariables {
		env[name] = e.Proxy.String()
	}
	entries, dropped := e.noProxy(env["NO_PROXY"], env["no_proxy"])
	for _, local := range []string{"localhost", "127.0.0.1", "::1"} {
		if !slices.Contains(entries, local) {
			entries = append(entries, local)
		}
	}
	env["NO_PROXY"] = strings.Join(entries, ",")
	env["no_proxy"] = env["NO_PROXY"]
	if list, set := env["no_grpc_proxy"]; set { // gRPC reads it instead of no_proxy
		entries, more := e.noProxy(list)
		env["no_grpc_proxy"] = strings.Join(entries, ",")
		for _, d := range more {
			if !slices.Contains(dropped, d) {
				dropped = append(dropped, d)
			}
		}
	}
	for _, name := range proxyVariablesIfSet {
		if _, set := env[name]; set {
			env[name] = e.Proxy.String()
		}
	}
	env["PERL_LWP_ENV_PROXY"] = "1" // Perl LWP ignores proxies without it
	env["MOJO_PROXY"] = "1"         // and so does Perl's Mojo
	e.setConfigured(env)
	if e.Proxy.User != nil {
		env["GIT_HTTP_PROXY_AUTHMETHOD"] = "basic"
	}
	return dropped
}
