package takeover

import "testing"

func TestMaskedShowsAtMostFourCharacters(t *testing.T) {
	for value, want := range map[string]string{
		"":                        "(0 characters)",
		"k":                       "(1 character)",
		"sk-0123456789abcdef":     "(19 characters)",
		"sk-a0123456789abcdef":    "sk-a… (20 characters)",
		"ключ-0123456789-0123456": "ключ… (23 characters)",
		"ключ-0123456789":         "(15 characters)",
		"密钥密钥密钥密钥密钥密钥密钥密钥密钥密钥密钥": "密钥密钥… (22 characters)",
	} {
		if got := masked(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
