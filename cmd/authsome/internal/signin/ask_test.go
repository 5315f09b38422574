package signin

import "testing"

func TestWithoutLabel(t *testing.T) {
	for _, tt := range []struct{ name, label, want string }{
		{"GitHub (personal access token)", "Personal access token", "GitHub"},
		{"Slack (bot or user token)", "Token", "Slack (bot or user token)"},
		{"Groq", "Key", "Groq"},
		{"(Key)", "Key", "(Key)"},
	} {
		if got := withoutLabel(tt.name, tt.label); got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.name, tt.label, got, tt.want)
		}
	}
}
