package near

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"openai", "openrouter", "audit", "github"}
	for _, tt := range []struct {
		name  string
		limit int
		want  string
	}{
		{"opnai", 1, "openai"}, {"openai", 0, "openai"}, {"oepnai", 1, ""}, {"oepnai", 2, "openai"},
		{"githubb", 2, "github"}, {"", 2, ""}, {"audits", 2, "audit"}, {"nothing", 2, ""},
	} {
		if got := Nearest(tt.name, names, tt.limit); got != tt.want {
			t.Errorf("%q within %d: %q, want %q", tt.name, tt.limit, got, tt.want)
		}
	}
}
