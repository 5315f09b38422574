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

// With --trust all, doctor finds that the clients which need it work, and without it that
// they do not.
func TestDoctorWithTrust(t *testing.T) {
	r := newRig(t)
	with, without := r.run(nil, "--trust=all", binary, "doctor"), r.run(nil, binary, "doctor")
	for client, runtime := range map[string]string{"Java": "java", "http.client": "python", "PHP streams": "php", "Chromium": "chromium"} {
		if !regexp.MustCompile(`(?m)^ok +` + client + ` `).MatchString(with) {
			t.Errorf("%s is not reported as ok:\n%s", client, with)
		}
		if !regexp.MustCompile(`(?m)^warning +` + client + ` .*\n +→ .* --trust ` + runtime + `, if`).MatchString(without) {
			t.Errorf("without --trust, there is no warning about %s:\n%s", client, without)
		}
	}
}
