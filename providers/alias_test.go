package providers

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An alias means one provider, which exists, and is not a spelling of a name.
func TestAliasTable(t *testing.T) {
	s := bundledSet(t)
	meant := make(map[string]string)
	for _, d := range s.All() {
		if other := meant[foldName(d.Name)]; other != "" {
			t.Errorf("%s and %s are spelled alike", d.Name, other)
		}
		meant[foldName(d.Name)] = d.Name
	}
	var lines []string
	for line := range strings.Lines(aliasTable) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, others, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || s.byName[name] == nil {
			t.Errorf("%q: no provider %q", line, name)
		}
		lines = append(lines, name)
		for alias := range strings.SplitSeq(others, ", ") {
			if err := ValidateName(alias); err != nil {
				t.Errorf("%s: alias %q: %v", name, alias, err)
			}
			if other := meant[foldName(alias)]; other != "" {
				t.Errorf("%s: alias %q means %s already", name, alias, other)
			}
			meant[foldName(alias)] = name
			if got := s.Resolve(alias); got != name {
				t.Errorf("%q means %q, want %q", alias, got, name)
			}
		}
	}
	if len(lines) < 40 || !slices.IsSorted(lines) || len(slices.Compact(lines)) != len(lines) {
		t.Errorf("the lines are not sorted, or too few: %q", lines)
	}
	for _, d := range s.All() {
		if other := meant[foldName(d.DisplayName)]; other != "" && other != d.Name {
			t.Errorf("%q means %s, and is the display name of %s", d.DisplayName, other, d.Name)
		}
	}
}

func TestResolve(t *testing.T) {
	s := bundledSet(t)
	for text, want := range map[string]string{
		"openai": "openai", "OpenAI": "openai", "open-ai": "openai", "ChatGPT": "openai", "gpt": "openai", "Claude": "anthropic", "claude": "anthropic",
		"gemini": "google-gemini", "Google_Gemini": "google-gemini", "gh": "github", "GH": "github", "GitHub": "github", "Hugging Face": "huggingface",
		"Cal.com": "cal-com", "fal.ai": "fal", "twitter": "x", "Amazon Web Services": "aws", "sentry": "sentry-token", "Brave": "brave-search",
		"nonsense": "nonsense", "": "", "-": "-", "sk-0123456789": "sk-0123456789",
	} {
		if got := s.Resolve(text); got != want {
			t.Errorf("%q means %q, want %q", text, got, want)
		}
	}
	if got := strings.Join(s.Aliases("openai"), " "); got != "chatgpt codex dall-e gpt whisper" {
		t.Errorf("aliases of openai: %s", got)
	}
}

// A definition of the user's own wins over an alias, in any case, and over a display name.
func TestResolvePrefersTheUsersNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"gh", "claude", "hugging-face"} {
		text := `{"schema_version":2,"name":"` + name + `","flows":["api_key"],"hosts":["api.` + name + `.example"]}`
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"gh": "gh", "GH": "gh", "Claude": "claude", "hugging-face": "hugging-face", "huggingface": "huggingface",
		"Hugging Face": "Hugging Face", // of two providers that are spelled alike, none is meant
	} {
		if got := s.Resolve(text); got != want {
			t.Errorf("%q means %q, want %q", text, got, want)
		}
	}
	if got := s.Aliases("github"); slices.Contains(got, "gh") {
		t.Errorf("aliases of github: %q", got)
	}
	// A file that cannot be used keeps its name.
	if err := os.WriteFile(filepath.Join(dir, "chatgpt.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Load(dir); err != nil || s.Resolve("chatgpt") != "chatgpt" || s.Resolve("gpt") != "openai" {
		t.Errorf("chatgpt means %s, %v", s.Resolve("chatgpt"), err)
	}
	// What is stored under an alias is not the other provider's.
	if d, err := s.Lookup("gpt"); err == nil {
		t.Errorf("Lookup found %s", d.Name)
	}
}

// A suggestion follows the meaning of a name, and its letters only if it has none.
func TestSuggestedProvider(t *testing.T) {
	s := bundledSet(t)
	for name, want := range map[string]string{
		"jira-cloud": "", "jra": "", "gx": "", "zz": "", "xyz": "",
		"stack": "slack", "opnai": "openai", "antropic": "anthropic", "gitub": "github", "chatgtp": "openai", "clade": "anthropic", "resendd": "resend",
		"stripe.com": "stripe", "api.openai.com": "openai", "API.Stripe.com": "stripe", "slack.com": "slack", "example.com": "", "co.uk": "", "com": "",
		"Workspaces": "", "s2s": "zoom-s2s", "sigv4": "", "bot": "", "token": "",
		"email": "category mail", "git": "category dev", "llm": "category llm", "code": "category dev", "database": "category data",
	} {
		_, err := s.Lookup(name)
		e, ok := errors.AsType[*NotFoundError](err)
		if !ok {
			t.Fatalf("%s: %v", name, err)
		}
		got := e.Near
		if e.Category != "" {
			got = "category " + e.Category
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for word, category := range categoryWords {
		if !slices.Contains(Categories[:], category) || s.byName[word] != nil || aliases()[word] != "" {
			t.Errorf("%s: %s", word, category)
		}
	}
}
