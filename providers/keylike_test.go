package providers

import "testing"

func TestLooksLikeKey(t *testing.T) {
	for word, want := range map[string]bool{
		"sk-proj-abcdefghijklmnop": true, "sk-canary": true, "sk-ant-api03-x1": true, "ghp_0123456789abcdef": true, "github_pat_11ABCDEFG": true,
		"re_0123456789": true, "gsk_abcdefghijklmnopqrst": true, "hf_abcdefghijklmnopqrst": true, "AKIAIOSFODNN7EXAMPLE": true, "xoxb-1234-5678": true,
		"AIzaSyA0123456789": true, "SG.abcdefgh1.xyz": true, "eyJhbGciOiJIUzI1NiJ9.e30.x": true, "123456789:AAF0123456789abcdefghijk": true,
		"0123456789abcdef0123456789abcdef": true, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": true, "ABCDEFGH12345678ABCDEFGH12345678==": true,
		"work": false, "openai": false, "re_work": false, "re_production": false, "my-work-account-2026-11": false, "sk-x": false, "pa-office": false,
		"prod-123456789012": false, "550e8400-e29b-41d4-a716-446655440000": false, "vercel-ai-gateway": false, "keywords-everywhere": false,
		"/tmp/TestInvalidCommandLines1234567890/001": false, "https://api.example.com/0123456789abcdef0123456789abcdef": false,
		"api.example.com/0123456789abcdef0123456789abcdef": false, "google-service-account": false, "antidisestablishmentarianism": false, "": false,
	} {
		if got := LooksLikeKey(word); got != want {
			t.Errorf("%q: %v, want %v", word, got, want)
		}
	}
	s := bundledSet(t)
	for _, d := range s.All() {
		for _, name := range append(s.Aliases(d.Name), d.Name) {
			if LooksLikeKey(name) {
				t.Errorf("the name %s looks like a key", name)
			}
		}
	}
}

func TestKeyOwner(t *testing.T) {
	s := bundledSet(t)
	for key, want := range map[string]string{
		"sk-proj-abcdefghijklmnopqrstuvwx": "openai", "sk-ant-api03-abcdefghijklmnopqrst": "anthropic", "re_0123456789": "resend",
		"ghp_0123456789abcdefghij": "github-pat", "gsk_abcdefghijklmnop": "groq", "AIzaSyA0123456789": "", // of Gemini, or of Maps
		"0123456789abcdef0123456789abcdef": "", "sk-short": "", "": "",
	} {
		if got := s.KeyOwner(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
