package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestDoctor checks that doctor, under authsome run, finds that each installed client
// uses the proxy and trusts it, as TestClients does.
func TestDoctor(t *testing.T) {
	r := newRig(t)
	newNode, err := filepath.Abs(node)
	if err != nil {
		t.Fatal(err)
	}
	out := r.run([]string{"PATH=" + filepath.Dir(newNode) + ":" + os.Getenv("PATH")}, binary, "doctor")
	for _, client := range []string{"proxy", "curl", "wget", "Python", "Node fetch", "Node TLS", "git"} {
		if !regexp.MustCompile(`(?m)^ok +` + client + ` `).MatchString(out) {
			t.Errorf("%s is not reported as ok:\n%s", client, out)
		}
	}
	if all := r.arrivals(); len(all) != 0 {
		t.Errorf("doctor sent requests to a service: %+v", all)
	}
}
