package suggest

import "testing"

func TestIn(t *testing.T) {
	for _, tt := range []struct {
		s                Suggestion
		plain, inProfile string
	}{
		{Suggestion{}, "", ""},
		{Advice("try again"), "try again", "try again"},
		{Command("list"), "authsome list", "authsome --profile work list"},
		{Login("github", ""), "authsome login github", "authsome --profile work login github"},
		{Login("github", "default"), "authsome login github", "authsome --profile work login github"},
		{Relogin("github", "two"), "authsome login github --connection two --force", "authsome --profile work login github --connection two --force"},
		{Command("profile list"), "authsome profile list", "authsome profile list"},
		{Command("help"), "authsome help", "authsome help"},
		{Command("login --help"), "authsome login --help", "authsome login --help"},
		{Command("vault restore FILE --profile other"), "authsome vault restore FILE --profile other", "authsome vault restore FILE --profile other"},
	} {
		if got := tt.s.In(""); got != tt.plain {
			t.Errorf("%q, want %q", got, tt.plain)
		}
		if got := tt.s.In("work"); got != tt.inProfile {
			t.Errorf("in a profile: %q, want %q", got, tt.inProfile)
		}
	}
}
