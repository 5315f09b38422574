package keyfiles

import "regexp"

// kind is a kind of file that has credentials.
type kind struct {
	// paths have slashes. ~ at the start is the home, and $NAME the value of a variable, if
	// it is set. The agent can read the default file even if a variable names another one,
	// so both are listed. Other paths are in the working directory and its parents.
	paths []string

	// credential matches files that have a credential. If it is nil, all have one.
	credential *regexp.Regexp

	// One of these decides which providers the credential belongs to. service is the name
	// of a provider, or the start of several: aws includes aws-bedrock-key. The first group
	// of host matches a host that a provider serves. variables are those of a .env file.
	service   string
	host      *regexp.Regexp
	variables bool
}

// Expressions of several kinds.
var (
	yamlHost    = regexp.MustCompile(`(?m)^\s*"?([\w-]+(?:\.[\w-]+)+)"?:\s*$`)
	jsonHost    = regexp.MustCompile(`"(?:https?://)?([\w-]+(?:\.[\w-]+)+)[^"]*"\s*:\s*\{`)
	hasToken    = regexp.MustCompile(`(?im)(^|[\s"_-])(token|password|secret|key)"?\s*[:=][ \t]*["']?[^\s"',}]`)
	hasYAMLAuth = regexp.MustCompile(`(?m)^\s*-?\s*(oauth_token|token|access_token):[ \t]*["']?[^\s"'!]`)
)

// known lists the kinds of files. The comment before each kind says where its paths and
// variables were looked up on 2026-11-30, in stored copies of public pages and repositories.
var known = []kind{
	// docs.aws.amazon.com/sdkref/latest/guide/file-location.html; the caches of single
	// sign-on and of assumed roles are general knowledge.
	{service: "aws", paths: []string{"$AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", "~/.aws/sso/cache/*.json", "~/.aws/cli/cache/*.json"}},
	{service: "aws", paths: []string{"$AWS_CONFIG_FILE", "~/.aws/config"}, credential: regexp.MustCompile(`(?m)^\s*aws_(secret_access_key|session_token)\s*=[ \t]*\S`)},

	// cli.github.com/manual/gh_help_environment
	{host: yamlHost, credential: hasYAMLAuth, paths: []string{"$GH_CONFIG_DIR/hosts.yml", "$XDG_CONFIG_HOME/gh/hosts.yml", "$AppData/GitHub CLI/hosts.yml", "~/.config/gh/hosts.yml"}},
	// hub.github.com/hub.1.html, from general knowledge
	{host: yamlHost, credential: hasYAMLAuth, paths: []string{"$HUB_CONFIG", "$XDG_CONFIG_HOME/hub", "~/.config/hub"}},
	// docs.gitlab.com/cli/config/path; GLAB_CONFIG_DIR as third-party programs use it
	{host: yamlHost, credential: hasYAMLAuth, paths: []string{
		"$GLAB_CONFIG_DIR/config.yml", "$XDG_CONFIG_HOME/glab-cli/config.yml", "~/.config/glab-cli/config.yml", "~/Library/Application Support/glab-cli/config.yml",
	}},
	// Documentation/git-credential-store.adoc in git's repository
	{host: regexp.MustCompile(`(?m)^https?://[^@\s]+@([^/:\s]+)`), paths: []string{"~/.git-credentials", "$XDG_CONFIG_HOME/git/credentials", "~/.config/git/credentials"}},

	// gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html, and
	// CURLOPT_NETRC(3). Heroku's and Hugging Face's tools use the file too.
	{host: regexp.MustCompile(`(?m)(?:^|\s)machine\s+(\S+)`), credential: regexp.MustCompile(`(?:^|\s)password\s+\S`), paths: []string{"$NETRC", "~/.netrc", "~/_netrc"}},

	// docs.npmjs.com/cli/configuring-npm/npmrc. A value that begins with $ is that of a
	// variable.
	{host: regexp.MustCompile(`(?m)^\s*//([^/:\s]+)[^=\n]*:_(?:authToken|auth|password)\s*=[ \t]*"?[^"$\s]`), paths: []string{
		"$NPM_CONFIG_USERCONFIG", "$npm_config_userconfig", "~/.npmrc", ".npmrc",
	}},
	// packaging.python.org/specifications/pypirc, from general knowledge
	{host: regexp.MustCompile(`(?m)^\s*repository\s*[:=]\s*https?://([^/:\s]+)`), credential: hasToken, paths: []string{"~/.pypirc"}},
	{service: "pypi", credential: hasToken, paths: []string{"~/.pypirc"}},
	// doc.rust-lang.org/cargo/commands/cargo-login.html
	{service: "crates", credential: hasToken, paths: []string{"$CARGO_HOME/credentials.toml", "$CARGO_HOME/credentials", "~/.cargo/credentials.toml", "~/.cargo/credentials"}},

	// docs.docker.com/reference/cli/docker/login, from general knowledge; the form as
	// third-party programs read it
	{host: jsonHost, credential: regexp.MustCompile(`"(auth|identitytoken|registrytoken|password)"\s*:\s*"[^"]`), paths: []string{"$DOCKER_CONFIG/config.json", "~/.docker/config.json"}},
	// kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig, from
	// general knowledge
	{host: regexp.MustCompile(`(?m)^\s*server:[ \t]*"?https?://([^/:\s"]+)`), credential: regexp.MustCompile(`(?m)^\s*(token|password|client-key|client-key-data):[ \t]*\S`), paths: []string{
		"$KUBECONFIG", "~/.kube/config",
	}},

	// google/auth/environment_vars.py in Google's library, and
	// docs.cloud.google.com/docs/authentication/provide-credentials-adc
	{service: "google", paths: []string{
		"$GOOGLE_APPLICATION_CREDENTIALS",
		"$CLOUDSDK_CONFIG/application_default_credentials.json", "$CLOUDSDK_CONFIG/credentials.db", "$CLOUDSDK_CONFIG/access_tokens.db", "$CLOUDSDK_CONFIG/legacy_credentials/*/*",
		"~/.config/gcloud/application_default_credentials.json", "~/.config/gcloud/credentials.db", "~/.config/gcloud/access_tokens.db", "~/.config/gcloud/legacy_credentials/*/*",
	}},
	// learn.microsoft.com/cli/azure/msal-based-azure-cli; AZURE_CONFIG_DIR as third-party
	// programs use it
	{service: "azure", paths: []string{
		"$AZURE_CONFIG_DIR/msal_token_cache.json", "$AZURE_CONFIG_DIR/service_principal_entries.json", "$AZURE_CONFIG_DIR/accessTokens.json",
		"~/.azure/msal_token_cache.json", "~/.azure/service_principal_entries.json", "~/.azure/accessTokens.json",
	}},
	// docs.digitalocean.com/reference/doctl, README of the repository
	{service: "digitalocean", credential: regexp.MustCompile(`(?m)^\s*access-token:[ \t]*"?[^\s"]|\bdop_v1_`), paths: []string{
		"$XDG_CONFIG_HOME/doctl/config.yaml", "~/.config/doctl/config.yaml", "~/Library/Application Support/doctl/config.yaml",
	}},
	// helpers/config.go in flyctl's repository
	{service: "fly", credential: hasYAMLAuth, paths: []string{"$FLY_CONFIG_DIR/config.yml", "~/.fly/config.yml"}},
	// developer.hashicorp.com/terraform/cli/commands/login and .../cli/config/config-file
	{host: jsonHost, credential: hasToken, paths: []string{"~/.terraform.d/credentials.tfrc.json", "$APPDATA/terraform.d/credentials.tfrc.json"}},
	{host: regexp.MustCompile(`credentials\s+"([^"]+)"\s*\{`), credential: hasToken, paths: []string{"$TF_CLI_CONFIG_FILE", "~/.terraformrc"}},
	// developers.cloudflare.com/workers/wrangler-legacy/authentication; the new place as in
	// Cloudflare's MCP server
	{service: "cloudflare", credential: hasToken, paths: []string{
		"~/.wrangler/config/default.toml", "$XDG_CONFIG_HOME/.wrangler/config/default.toml", "~/.config/.wrangler/config/default.toml", "~/Library/Preferences/.wrangler/config/default.toml",
	}},
	// vercel.com/docs/project-configuration/global-configuration
	{service: "vercel", credential: hasToken, paths: []string{
		"$XDG_DATA_HOME/com.vercel.cli/auth.json", "~/.local/share/com.vercel.cli/auth.json", "~/Library/Application Support/com.vercel.cli/auth.json",
	}},
	// src/lib/settings.ts in Netlify's repository
	{service: "netlify", credential: hasToken, paths: []string{
		"$XDG_CONFIG_HOME/netlify/config.json", "~/.config/netlify/config.json", "~/.netlify/config.json", "~/Library/Preferences/netlify/config.json",
	}},
	// third-party programs only
	{service: "supabase", paths: []string{"~/.supabase/access-token"}},
	// databricks provider for Terraform, and Databricks' Python library
	{host: regexp.MustCompile(`(?m)^\s*host\s*=\s*(?:https?://)?([^/:\s]+)`), credential: hasToken, paths: []string{"$DATABRICKS_CONFIG_FILE", "~/.databrickscfg"}},
	// docs.sentry.io/cli/configuration, from general knowledge
	{service: "sentry", credential: hasToken, paths: []string{"~/.sentryclirc", ".sentryclirc"}},
	// docs.stripe.com/cli/login
	{service: "stripe", credential: hasToken, paths: []string{"$XDG_CONFIG_HOME/stripe/config.toml", "~/.config/stripe/config.toml"}},

	// codex-rs in OpenAI's repository
	{service: "openai", paths: []string{"$CODEX_HOME/auth.json", "~/.codex/auth.json"}},
	// code.claude.com/docs, as third-party programs cite it;
	// platform.claude.com/docs/en/cli-sdks-libraries/cli/authentication
	{service: "anthropic", paths: []string{
		"$CLAUDE_CONFIG_DIR/.credentials.json", "~/.claude/.credentials.json",
		"$ANTHROPIC_CONFIG_DIR/credentials/*.json", "$XDG_CONFIG_HOME/anthropic/credentials/*.json", "~/.config/anthropic/credentials/*.json",
	}},
	// huggingface.co/docs/huggingface_hub/package_reference/environment_variables
	{service: "huggingface", paths: []string{
		"$HF_TOKEN_PATH", "$HF_HOME/token", "$HF_HOME/stored_tokens", "$XDG_CACHE_HOME/huggingface/token", "$XDG_CACHE_HOME/huggingface/stored_tokens",
		"~/.cache/huggingface/token", "~/.cache/huggingface/stored_tokens", "~/.huggingface/token",
	}},

	// Programs read .env from the directory that they are started in, and some, such as
	// Next.js, .env.local too.
	{variables: true, paths: []string{".env", ".env.local"}},
}
