package signin

import "testing"

func TestNameFor(t *testing.T) {
	for _, tt := range []struct{ provider, address, taken, want string }{
		{"gitlab", "https://gitlab.example.com", "", "example"},
		{"gitlab", "https://gitlab.example.com/", "example", "gitlab.example.com"},
		{"gitlab", "https://git.corp.example.com", "", "corp"},
		{"gitlab", "https://example.com:8443", "", "example.com-8443"},
		{"mcp", "https://mcp.linear.app/mcp", "", "linear"},
		{"mcp", "https://api.acme.com/v1/mcp?x=1", "", "acme"},
		{"databricks", "adb-123.azuredatabricks.net", "", "adb-123"},
		{"grafana", "https://192.0.2.7", "", "192.0.2.7"},
		{"grafana", "https://192.0.2.7:3000", "", "192.0.2.7-3000"},
		{"grafana", "https://[2001:db8::1]:3000", "", "2001-db8--1-3000"},
		{"grafana", "https://grafana", "", "grafana"},
		{"grafana", "https://grafana", "grafana", "other"},
		{"grafana", "https://münchen.example", "", "other"},
		{"grafana", ":", "", "other"},
		{"grafana", ":", "other", "other-2"},
	} {
		if got := nameFor(tt.provider, tt.address, map[string]bool{tt.taken: true}); got != tt.want {
			t.Errorf("%s at %s: %q, want %q", tt.provider, tt.address, got, tt.want)
		}
	}
}
