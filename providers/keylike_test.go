package providers

import (
	"strings"
	"testing"
)

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
}

func TestMayBeKey(t *testing.T) {
	for _, word := range []string{
		"550e8400-e29b-41d4-a716-446655440000", "550E8400-E29B-41D4-A716-446655440000", "0123456789abcdef0123", "0123456789abcdef", "12345678901234567890",
		"ATATT3xFfGF0abcDEF_ghi-jklMNO=ABCD1234", "ATATT3xFf=ABCD1234", "1//0gAbCdEfGh-IjKlMn_OpQrSt", "ya29.a0AfH6SMBx-y_z1", "YWJjZGVmZ2hp.a2xtbm9wcXJz/abc", "k3j5h2g8f7d6s9a1q4w2", "550e8400-e29b-41d4-a716-446655440000/work",
		"AbC1dEf2GhI3jKl4MnO5", "user:p4s5W0rD9xYz1Q2w", "aB3+dE5/fG7hI9jK1lM3==", "v1.0a1b2c3d4e5f6a7b8c9d", "sk-proj-abcdefghijklmnop",
	} {
		if !MayBeKey(word) {
			t.Errorf("%s is taken for a name", word)
		}
	}
	s := bundledSet(t)
	names := []string{
		"", "work", "my-crm", "My_CRM_Production2", "acme-internal-api-v2", "acme_crm_2026", "Microsoft365Graph", "GoogleCloudVertex2Api", "GoogleCloudVertexAiApi", "web3auth-production",
		"auth0-management-eu1", "prod-123456789012", "k8s-cluster-eu-west-1", "eu-west-1-staging-02", "s3-backup-a1b2c3", "api2cart-production", "feedbeefcafedeadface", "com.example.crm.production",
		"mcp.example.com", "api.example.com/v1/models2", "https://mcp.example.com/550e8400-e29b-41d4-a716-446655440000", "/tmp/a1b2c3d4e5f6a7b8.json", "./k3j5h2g8f7d6s9a1.json", "github/work-account-2026", "n8n-cloud-production",
	}
	for _, d := range s.All() {
		names = append(append(names, d.Name, d.DisplayName, strings.ReplaceAll(d.DisplayName, " ", "")), s.Aliases(d.Name)...)
	}
	for _, name := range names {
		if MayBeKey(name) {
			t.Errorf("the name %s may be a key", name)
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
