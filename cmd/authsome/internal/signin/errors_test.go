package signin

import (
	"fmt"
	"testing"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
)

// After a key that the service refused, the hint is a login with another key, and not one
// that stores the refused key.
func TestHintAfterRefusedKey(t *testing.T) {
	l := &Login{d: &providers.Definition{Name: "acme"}, o: Options{Connection: "work", KeyStdin: true}}
	err := l.explain(t.Context(), fmt.Errorf("acme: %w", flows.ErrRefused))
	if got := exit.Judge(err).Next.In(""); got != "authsome login acme --connection work --key-stdin < FILE" {
		t.Errorf("hint %q", got)
	}
}
