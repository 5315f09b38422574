package e2e

import "path/filepath"

func agent(path string) string {
	return filepath.Join(testScripts, "agents/node_modules", path)
}

var (
	claude   = agent("@anthropic-ai/claude-code-linux-x64/claude")
	codex    = agent("@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
	opencode = agent("opencode-linux-x64/bin/opencode")
	cline    = agent("@cline/cli-linux-x64/bin/cline")
	copilot  = agent("@github/copilot-linux-x64/copilot")
)

const prompt = "Say hello."

// agentClients answer one prompt, each in a new home and without a terminal.
var agentClients = []client{
	client{group: "Agents", name: "Claude Code", version: claude + " --version", want: ok, argv: []string{claude, "-p", prompt}}.with(onAnthropic),
	client{group: "Agents", name: "Codex", version: codex + " --version", want: ok, argv: []string{codex, "exec", "--skip-git-repo-check", prompt}}.with(onOpenAI),
	client{group: "Agents", name: "Gemini CLI", version: "npm:@google/gemini-cli", want: ok, argv: []string{nodeProgram("node22"), agent("@google/gemini-cli/bundle/gemini.js"), "--skip-trust", "--model", "gemini-2.5-flash", "-p", prompt}}.with(onGemini),
	client{group: "Agents", name: "opencode", version: "npm:opencode-linux-x64", want: ok, argv: []string{opencode, "run", "--model", "anthropic/claude-sonnet-4-5", prompt}}.with(onAnthropic),
	client{group: "Agents", name: "Cline", version: "npm:@cline/cli-linux-x64", want: ok, argv: []string{cline, "--provider", "anthropic", "--model", "claude-sonnet-4-5", prompt}}.with(onAnthropic),
	client{group: "Agents", name: "Copilot CLI, OpenAI's models", version: "npm:@github/copilot-linux-x64", want: ok, argv: []string{"sh", "-c", `COPILOT_PROVIDER_API_KEY=$OPENAI_API_KEY exec "$0" -s -p "$1"`, copilot, prompt}, env: []string{"COPILOT_PROVIDER_BASE_URL=https://api.openai.com/v1", "COPILOT_MODEL=gpt-5"}, note: "with `COPILOT_PROVIDER_BASE_URL` and `COPILOT_PROVIDER_API_KEY`"}.with(onOpenAI),
	client{group: "Agents", name: "Copilot CLI, GitHub's models", version: "npm:@github/copilot-linux-x64", want: ok, argv: []string{copilot, "-s", "-p", prompt}}.with(onCopilot),
	client{group: "Agents", name: "Qwen Code", version: "npm:@qwen-code/qwen-code", want: ok, argv: []string{nodeProgram("node22"), agent("@qwen-code/qwen-code/cli-entry.js"), "--auth-type", "openai", "--model", "gpt-5", prompt}, env: []string{"OPENAI_BASE_URL=https://api.openai.com/v1"}, note: "with `OPENAI_BASE_URL`"}.with(onOpenAI),
}

func onGemini(c *client) {
	c.logins, c.hosts = []string{"google-gemini"}, []string{"generativelanguage.googleapis.com"}
}

func onCopilot(c *client) {
	onGitHub(c)
	c.hosts = append(c.hosts, "api.githubcopilot.com", "api.individual.githubcopilot.com")
}
