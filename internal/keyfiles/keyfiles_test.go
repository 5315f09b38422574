package keyfiles

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// place is a home, and a repository in it, whose directory src is the working directory.
type place struct {
	t         *testing.T
	home      string
	variables map[string]string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t, t.TempDir(), make(map[string]string)}
	for _, dir := range []string{"repository/.git", "repository/src"} {
		if err := os.MkdirAll(filepath.Join(p.home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *place) write(path, text string) {
	p.t.Helper()
	path = filepath.Join(p.home, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// find returns the files, relative to the home, with their providers.
func (p *place) find(providers ...string) []string {
	p.t.Helper()
	hosts := map[string]string{
		"api.github.com": "github", "git.corp.example": "github-enterprise", "gitlab.com": "gitlab-pat", "registry.npmjs.org": "npm",
		"index.docker.io": "docker", "app.terraform.io": "terraform", "kube.example": "kube", "adb-1.cloud.databricks.com": "databricks",
		"upload.example": "pypi-mirror",
	}
	files := Find(Search{
		Providers: providers,
		Served: func(host string) string {
			if slices.Contains(providers, hosts[host]) {
				return hosts[host]
			}
			return ""
		},
		Credentials: func(environ []string) (found []string) {
			for _, entry := range environ {
				if name, _, _ := strings.Cut(entry, "="); name == "OPENAI_API_KEY" && slices.Contains(providers, "openai") {
					found = append(found, "openai")
				}
			}
			return found
		},
		Getenv: func(name string) string { return p.variables[name] },
		Home:   p.home, Dir: filepath.Join(p.home, "repository", "src"),
	})
	var all []string
	for _, f := range files {
		path, err := filepath.Rel(p.home, f.Path)
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, filepath.ToSlash(path)+" "+strings.Join(f.Providers, ","))
	}
	return all
}

func TestFilesWithCredentials(t *testing.T) {
	for path, test := range map[string]struct{ text, provider string }{
		".aws/credentials":            {"[default]\naws_access_key_id = AKIA\n", "aws"},
		".aws/sso/cache/1f2e.json":    {`{"accessToken":"x"}`, "aws-bedrock-key"},
		".aws/config":                 {"[profile a]\naws_secret_access_key = x\n", "aws"},
		".config/gh/hosts.yml":        {"github.com:\n    users:\n        monalisa:\n            oauth_token: gho_x\n    user: monalisa\n", "github"},
		".config/hub":                 {"git.corp.example:\n- user: monalisa\n  oauth_token: x\n", "github-enterprise"},
		".config/glab-cli/config.yml": {"git_protocol: ssh\nhosts:\n    gitlab.com:\n        token: glpat-x\n        api_host: gitlab.com\n", "gitlab-pat"},
		".git-credentials":            {"https://monalisa:gho_x@github.com\n", "github"},
		".netrc":                      {"machine example.com login a password b\nmachine API.github.com\n  login a\n  password b\n", "github"},
		"_netrc":                      {"machine gitlab.com login a password b", "gitlab-pat"},
		".npmrc":                      {"registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=npm_x\n", "npm"},
		"repository/.npmrc":           {"//registry.npmjs.org/path/:_password = \"x\"\n", "npm"},
		".pypirc":                     {"[distutils]\n[mirror]\nrepository = https://upload.example/legacy/\npassword = x\n", "pypi-mirror"},
		".cargo/credentials.toml":     {"[registry]\ntoken = \"x\"\n", "crates"},
		".docker/config.json":         {`{"auths": {"https://index.docker.io/v1/": {"auth": "eA=="}}}`, "docker"},
		".kube/config":                {"clusters:\n- cluster:\n    server: https://kube.example:6443\nusers:\n- user:\n    token: x\n", "kube"},

		".config/gcloud/application_default_credentials.json":      {"{}", "google"},
		".config/gcloud/legacy_credentials/a@example.com/adc.json": {"{}", "google-gemini"},
		".azure/msal_token_cache.json":                             {"{}", "azure"},
		".config/doctl/config.yaml":                                {"access-token: \"\"\nauth-contexts:\n  work: dop_v1_x\n", "digitalocean-token"},
		".fly/config.yml":                                          {"access_token: fm2_x\n", "fly"},
		".terraform.d/credentials.tfrc.json":                       {`{"credentials": {"app.terraform.io": {"token": "x"}}}`, "terraform"},
		".terraformrc":                                             {"credentials \"app.terraform.io\" {\n  token = \"x\"\n}\n", "terraform"},
		".config/.wrangler/config/default.toml":                    {"oauth_token = \"x\"\n", "cloudflare"},
		".local/share/com.vercel.cli/auth.json":                    {`{"token": "x"}`, "vercel"},
		".config/netlify/config.json":                              {`{"users": {"1": {"auth": {"token": "x"}}}}`, "netlify"},
		".supabase/access-token":                                   {"sbp_x", "supabase"},
		".databrickscfg":                                           {"[DEFAULT]\nhost = https://adb-1.cloud.databricks.com\ntoken = dapi\n", "databricks"},
		".sentryclirc":                                             {"[auth]\ntoken=x\n", "sentry-token"},
		".config/stripe/config.toml":                               {"[default]\ntest_mode_api_key = 'rk_x'\n", "stripe"},
		".codex/auth.json":                                         {`{"OPENAI_API_KEY":"x"}`, "openai"},
		".claude/.credentials.json":                                {`{"claudeAiOauth":{}}`, "anthropic"},
		".config/anthropic/credentials/default.json":               {"{}", "anthropic"},
		".cache/huggingface/token":                                 {"hf_x", "huggingface"},
		"repository/src/.env":                                      {"OPENAI_API_KEY=sk-x1\n", "openai"},
		"repository/.env":                                          {"A=1\nexport OPENAI_API_KEY=\"sk-x1\" # mine\n", "openai"},
		"repository/src/.env.local":                                {"OPENAI_API_KEY = 'sk-x1'\n", "openai"},
	} {
		p := newPlace(t)
		if found := p.find(test.provider); len(found) > 0 {
			t.Errorf("an empty home has %q", found)
		}
		p.write(path, test.text)
		if diff := cmp.Diff([]string{path + " " + test.provider}, p.find(test.provider)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		if found := p.find("slack", "awsome"); len(found) > 0 {
			t.Errorf("%s has credentials of others: %q", path, found)
		}
	}
}

func TestFilesWithoutCredentials(t *testing.T) {
	for path, text := range map[string]string{
		".aws/credentials":            "",
		".aws/config":                 "[profile a]\naws_secret_access_key =\nregion = eu-west-1\n",
		".config/gh/hosts.yml":        "github.com:\n    user: monalisa\n",
		".config/glab-cli/config.yml": "hosts:\n    gitlab.com:\n        token:\n        api_host: gitlab.com\n",
		".netrc":                      "machine other.example login a password b\n# api.github.com\n",
		"_netrc":                      "machine api.github.com\n",
		".npmrc":                      "registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n//npm.corp.example/:_authToken=x\n",
		".docker/config.json":         `{"auths": {"https://index.docker.io/v1/": {}}, "credsStore": "pass"}`,
		".kube/config":                "clusters:\n- cluster:\n    server: https://kube.example\nusers:\n- user:\n    exec: {}\n",
		".config/stripe/config.toml":  "[default]\ntest_mode_api_key = ''\nlive_mode_api_key =\ndevice_name = 'laptop'\n",
		".config/netlify/config.json": `{"users": {"1": {"auth": {"token": ""}}}}`,
		".env":                        "OPENAI_API_KEY=sk-x1\n", // above the repository
		"repository/.env":             "#OPENAI_API_KEY=sk-x1\nOPENAI_API_KEY=\nOPENAI_API_KEY=${OTHER}\nOPENAI_API_KEY=your-key\nOPENAI_API_KEY=\"<key>\"\nOPENAI_API_KEY=sk-...\nOPENAI_API_KEY=xxxx\n",
		"repository/src/.env":         "OTHER=sk-x1\nX_OPENAI_API_KEY=sk-x1\n",
		"repository/other/.env":       "OPENAI_API_KEY=sk-x1\n",
	} {
		p := newPlace(t)
		p.write(path, text)
		if found := p.find("aws", "github", "gitlab-pat", "npm", "docker", "kube", "stripe", "netlify", "openai"); len(found) > 0 {
			t.Errorf("found %q", found)
		}
	}
}

func TestVariablesNameFiles(t *testing.T) {
	p := newPlace(t)
	for name, value := range map[string]string{
		"AWS_SHARED_CREDENTIALS_FILE": "a/aws", "GH_CONFIG_DIR": "a/gh", "CODEX_HOME": "a/codex", "HF_HOME": "a/hf", "CLOUDSDK_CONFIG": "a/[gcloud]", "DOCKER_CONFIG": "a/docker",
		"CARGO_HOME": "a/cargo", "NETRC": "a/netrc", "CLAUDE_CONFIG_DIR": "a/claude", "NPM_CONFIG_USERCONFIG": "a/npmrc", "XDG_CONFIG_HOME": "a/config",
	} {
		p.variables[name] = filepath.Join(p.home, filepath.FromSlash(value))
	}
	p.variables["KUBECONFIG"] = strings.Join([]string{filepath.Join(p.home, "a", "kube1"), "", "kube2"}, string(filepath.ListSeparator))
	const kube = "clusters:\n- cluster:\n    server: https://kube.example\nusers:\n- user:\n    token: x\n"
	want := []string{}
	for _, f := range []struct{ path, text, provider string }{
		{".aws/credentials", "x", "aws"}, // the agent can read this one too
		{"a/[gcloud]/legacy_credentials/a@example.com/adc.json", "{}", "google"},
		{"a/aws", "x", "aws"},
		{"a/cargo/credentials.toml", "token = \"x\"", "crates"},
		{"a/claude/.credentials.json", "{}", "anthropic"},
		{"a/codex/auth.json", "{}", "openai"},
		{"a/config/stripe/config.toml", "test_mode_api_key = 'x'", "stripe"},
		{"a/docker/config.json", `{"auths": {"index.docker.io": {"auth": "eA=="}}}`, "docker"},
		{"a/gh/hosts.yml", "github.com:\n  oauth_token: x\n", "github"},
		{"a/hf/token", "hf_x", "huggingface"},
		{"a/kube1", kube, "kube"},
		{"a/netrc", "machine gitlab.com login a password b", "gitlab-pat"},
		{"a/npmrc", "//registry.npmjs.org/:_authToken=x", "npm"},
		{"repository/src/kube2", kube, "kube"},
	} {
		p.write(f.path, f.text)
		want = append(want, f.path+" "+f.provider)
	}
	got := p.find("anthropic", "aws", "crates", "docker", "github", "gitlab-pat", "google", "huggingface", "kube", "npm", "openai", "stripe")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestFileOfSeveralProviders(t *testing.T) {
	p := newPlace(t)
	p.write(".netrc", "machine gitlab.com login a password b\nmachine api.github.com login a password b\nmachine github.com login a password b\n")
	p.write(".aws/credentials", "x")
	p.variables["AWS_SHARED_CREDENTIALS_FILE"] = filepath.Join(p.home, ".aws", "credentials")
	want := []string{".aws/credentials aws,aws-bedrock-key", ".netrc github,gitlab-pat"}
	if diff := cmp.Diff(want, p.find("github", "gitlab-pat", "aws-bedrock-key", "aws")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestOutsideARepository(t *testing.T) {
	p := newPlace(t)
	if err := os.Remove(filepath.Join(p.home, "repository", ".git")); err != nil {
		t.Fatal(err)
	}
	p.write("repository/.env", "OPENAI_API_KEY=sk-x1\n")
	p.write("repository/src/.env", "OPENAI_API_KEY=sk-x1\n")
	if diff := cmp.Diff([]string{"repository/src/.env openai"}, p.find("openai")); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestWithoutAHome(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(".aws", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(".aws/credentials", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	found := Find(Search{Providers: []string{"aws"}, Getenv: func(string) string { return "" }})
	if len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

func TestNotFiles(t *testing.T) {
	p := newPlace(t)
	if err := os.MkdirAll(filepath.Join(p.home, ".aws", "credentials"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(p.home, ".codex"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("missing", filepath.Join(p.home, ".codex", "auth.json")); err != nil {
		t.Skip("this system forbids symbolic links")
	}
	if found := p.find("aws", "openai"); len(found) > 0 {
		t.Errorf("found %q", found)
	}
	p.write(".codex/missing", "{}")
	if diff := cmp.Diff([]string{".codex/auth.json openai"}, p.find("openai")); diff != "" {
		t.Errorf("through a link (-want +got):\n%s", diff)
	}
}

func FuzzParseVariables(f *testing.F) {
	f.Add("export A=\"b\" # c\nD='e'\nF=g")
	f.Fuzz(func(t *testing.T, text string) {
		for _, entry := range parseVariables(text) {
			if name, value, ok := strings.Cut(entry, "="); !ok || name == "" || value == "" || strings.Contains(entry, "\n") {
				t.Errorf("%q", entry)
			}
		}
	})
}
