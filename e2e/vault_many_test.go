package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
)

// TestManyCommands runs AUTHSOME_VAULT_PROCESSES logins at once, in a home that does
// not exist yet. Each of them reads the vault and adds its connection; none may be
// lost.
func TestManyCommands(t *testing.T) {
	n := 40
	if text := os.Getenv("AUTHSOME_VAULT_PROCESSES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := stage{t.TempDir()}
	if err := os.Mkdir(s.dir+"/tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, stderr, code := s.authsome(newKey, "login", "resend", "--connection", fmt.Sprint("c", i), "--key-stdin", "--no-verify"); code != 0 {
				t.Errorf("login %d: %d: %s", i, code, stderr)
			}
		})
	}
	all.Wait()
	var list struct {
		Bundled []struct {
			Name        string
			Connections []struct{ Status string }
		}
	}
	if err := json.Unmarshal([]byte(s.must(t, "", "list", "--connected", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Bundled) != 1 || len(list.Bundled[0].Connections) != n {
		t.Errorf("of %d connections the vault has %+v", n, list)
	}
}
