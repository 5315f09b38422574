package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// From behind the proxy doctor says of each installed client whether it uses the
// proxy and trusts it, as the clients' own tests find.
func TestDoctor(t *testing.T) {
	r := newRig(t)
	newNode, err := filepath.Abs(node)
	if err != nil {
		t.Fatal(err)
	}
	out := r.run([]string{"PATH=" + filepath.Dir(newNode) + ":" + os.Getenv("PATH")}, binary, "doctor")
	for _, client := range []string{"proxy", "curl", "wget", "Python", "Node fetch", "git"} {
		if !regexp.MustCompile(`(?m)^ok +` + client + ` `).MatchString(out) {
			t.Errorf("%s is not well:\n%s", client, out)
		}
	}
	if all := r.arrivals(); len(all) != 0 {
		t.Errorf("doctor sent requests to a service: %+v", all)
	}
}
