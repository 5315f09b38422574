package show

import (
	"testing"
	"time"
	"unicode/utf8"
)

func TestLowerFirst(t *testing.T) {
	for in, want := range map[string]string{
		"Client ID": "client ID", "API key": "API key", "key": "key", "K": "k", "": "",
		"Über-Schlüssel": "über-Schlüssel", "Ключ API": "ключ API", "ÄÖ": "ÄÖ", "密钥": "密钥", "\xff": "\ufffd",
	} {
		if got := LowerFirst(in); got != want || !utf8.ValidString(got) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestVisible(t *testing.T) {
	if got := Visible("a\x1b[2K\u202eb é 日本"); got != `a\u001b[2K\u202eb é 日本` {
		t.Errorf("%q", got)
	}
	if got := VisibleLines("a\nb\r"); got != "a\nb\\u000d" {
		t.Errorf("%q", got)
	}
}

func TestRelative(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		0: "in 0 seconds", time.Second: "in 1 second", -90 * time.Second: "1 minute ago", 3 * time.Hour: "in 3 hours", -49 * time.Hour: "2 days ago",
	} {
		if got := Relative(now.Add(d), now); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	if got := Relative(time.Time{}, now); got != "" {
		t.Errorf("the zero time: %q", got)
	}
}
