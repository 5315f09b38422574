//go:build linux

package child

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/ca"
)

// constrained returns a certificate as Chromium gets it.
func constrained(t *testing.T, name string) []byte {
	t.Helper()
	a, err := ca.New(ca.Options{CommonName: name})
	if err != nil {
		t.Fatal(err)
	}
	pem, err := a.Constrained([]string{"api.example.com"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return pem
}

// The database of the user has the certificate until the run ends, or until the run after
// one that was killed.
func TestChromiumCertificate(t *testing.T) {
	if _, err := exec.LookPath("certutil"); err != nil {
		t.Skip(err)
	}
	for _, tt := range []struct {
		name, existing string // directory that has a database before
		want           string // directory whose database is used
	}{
		{"none", "", ".pki/nssdb"}, {"old", ".pki/nssdb", ".pki/nssdb"}, {"new", "data/pki/nssdb", "data/pki/nssdb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home, tmp := t.TempDir(), t.TempDir()
			getenv := func(name string) string {
				return map[string]string{"HOME": home, "XDG_DATA_HOME": filepath.Join(home, "data")}[name]
			}
			if tt.existing != "" {
				dir := filepath.Join(home, tt.existing)
				if err := errors.Join(os.MkdirAll(dir, 0o700), certutil("-N", "-d", "sql:"+dir, "--empty-password")); err != nil {
					t.Fatal(err)
				}
			}
			names := func() string {
				out, err := exec.Command("certutil", "-L", "-d", "sql:"+filepath.Join(home, tt.want)).CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				return string(out)
			}
			first, killed := writeFiles(t, tmp), writeFiles(t, tmp)
			for name, f := range map[string]*Files{"run 1": &first, "run 2": &killed} {
				if err := f.AddChromium(getenv, name, constrained(t, name)); err != nil {
					t.Fatal(err)
				}
			}
			if got := names(); !strings.Contains(got, "run 1 ") || !strings.Contains(got, "run 2 ") {
				t.Errorf("during the runs: %s", got)
			}
			if err := first.Close(); err != nil {
				t.Error(err)
			}
			if got := names(); strings.Contains(got, "run 1 ") || !strings.Contains(got, "run 2 ") {
				t.Errorf("after the first run: %s", got)
			}
			killed.lock.Close() // as the kernel does
			age(t, killed.dir)
			writeFiles(t, tmp)
			if got := names(); strings.Contains(got, "run 2 ") {
				t.Errorf("after the run that followed: %s", got)
			}
		})
	}
}

func TestChromiumUnavailable(t *testing.T) {
	f := writeFiles(t, t.TempDir())
	check := func(home, want string) {
		t.Helper()
		err := f.AddChromium(func(name string) string { return map[string]string{"HOME": home}[name] }, "run", nil)
		if _, ok := errors.AsType[*unavailableError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := exec.LookPath("certutil"); err == nil {
		check("", "HOME is not set")
		check("/dev/null", "not a directory")
		check(t.TempDir(), "certutil -A: ") // the certificate is invalid
		if err := f.Close(); err != nil {
			t.Error(err) // nothing was added, so nothing is removed
		}
	}
	t.Setenv("PATH", t.TempDir())
	check(t.TempDir(), "install libnss3-tools")
}
