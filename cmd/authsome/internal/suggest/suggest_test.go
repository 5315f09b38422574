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

// An agent is told to ask a person for what it cannot do itself, and only for that.
func TestForAgent(t *testing.T) {
	const run = "ask the person to run, in another terminal: "
	for _, tt := range []struct {
		s         Suggestion
		want, who string
	}{
		{Suggestion{}, "", ""},
		{Advice("try again"), "try again", ""},
		{ByPerson("unlock the keyring"), "ask the person to unlock the keyring", "person"},
		{Command("list"), "authsome --profile work list", ""},
		{Command("login --help"), "authsome login --help", ""},
		{Login("github", ""), run + "authsome --profile work login github", "person"},
		{Relogin("github", "two"), run + "authsome --profile work login github --connection two --force", "person"},
		{Command("profile create x"), run + "authsome profile create x", "person"},
	} {
		if got, who := tt.s.ForAgent("work"); got != tt.want || who != tt.who {
			t.Errorf("%q for %q, want %q for %q", got, who, tt.want, tt.who)
		}
	}
}
