package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authsome/authsome/internal/pythonhome/hometest"
)

// startPython starts a shell script as a Python authsome would run, and waits until it
// says that it is ready.
func startPython(t *testing.T, text string) *exec.Cmd {
	t.Helper()
	script := filepath.Join(t.TempDir(), "authsome")
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sh", script)
	if _, err := other.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Process.Kill() })
	if n, err := out.Read(make([]byte, 8)); n == 0 {
		t.Fatal(err)
	}
	return other
}

// On a terminal, an import offers to stop the Python authsome that has the same refresh
// token, and imports what that one stored last.
func TestImportOffersToStopTheOtherHolder(t *testing.T) {
	for _, answer := range []string{"y", "n"} {
		t.Run(answer, func(t *testing.T) {
			b := newBench(t)
			dir := filepath.Join(t.TempDir(), "python")
			if err := hometest.Fixtures["rotating"].Write(dir); err != nil {
				t.Fatal(err)
			}
			// It has the store open, as the daemon has. When it is stopped, it refreshes once more.
			h := hometest.Fixtures["rotating"]
			h.Records = append([]hometest.Record(nil), h.Records...)
			for i := range h.Records {
				h.Records[i].Value = strings.ReplaceAll(h.Records[i].Value, "gitlab_fixture_refresh", "gitlab_fixture_later")
			}
			later := filepath.Join(t.TempDir(), "later")
			if err := h.Write(later); err != nil {
				t.Fatal(err)
			}
			store := filepath.Join("profiles", "default", "store.db")
			other := startPython(t, fmt.Sprintf("exec 3<%s; trap 'cp %s %s; exit' TERM; echo ready; while :; do read line; done",
				filepath.Join(dir, store), filepath.Join(later, store), filepath.Join(dir, store)))
			ended := make(chan error, 1)
			go func() { ended <- other.Wait() }()

			s := onScreen(t, b.command("import", "--authsome", dir))
			s.expect(`Import 5 items\? \[y/N\] `)
			s.enter("y\n")
			s.expect(fmt.Sprintf(`The Python authsome \(process %d\) also refreshes gitlab/default\.`, other.Process.Pid))
			s.expect(fmt.Sprintf(`Stop process %d now\? \[y/N\] `, other.Process.Pid))
			s.enter(answer + "\n")
			if code := s.end(); code != 0 {
				t.Errorf("exit code %d: %q", code, s.seen.String())
			}
			refresh, said := "gitlab_fixture_later", "do not use it with this home any more"
			if answer == "n" {
				refresh, said = "gitlab_fixture_refresh", fmt.Sprintf("stop it with kill %d", other.Process.Pid)
				other.Process.Kill()
			}
			<-ended
			if !strings.Contains(s.seen.String(), said) {
				t.Errorf("the screen has no %q: %q", said, s.seen.String())
			}
			got, err := b.command("get", "gitlab", "--field", "refresh_token", "--show-secret").Output()
			if err != nil || strings.TrimSpace(string(got)) != refresh {
				t.Errorf("imported %q, %v; want %q", got, err, refresh)
			}
			if _, err := os.Stat(filepath.Join(dir, store)); err != nil {
				t.Error(err)
			}
		})
	}
}

// If the other process does not end, nothing is imported, and the hint ends it.
func TestImportWhoseOtherHolderDoesNotEnd(t *testing.T) {
	t.Parallel() // it waits for the process
	b := newBench(t)
	dir := filepath.Join(t.TempDir(), "python")
	if err := hometest.Fixtures["rotating"].Write(dir); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "profiles", "default", "store.db")
	other := startPython(t, "exec 3<"+store+"; trap '' TERM; echo ready; read line")
	defer other.Wait()
	defer other.Process.Kill()
	s := onScreen(t, b.command("import", "--authsome", dir))
	s.expect(`Import 5 items\? \[y/N\] `)
	s.enter("y\n")
	s.expect(`Stop process \d+ now\? \[y/N\] `)
	s.enter("y\n")
	s.expect(fmt.Sprintf(`error:.* process %d does not end; nothing was imported\r?\n`, other.Process.Pid))
	s.expect(fmt.Sprintf(`hint:.* end it with kill -9 %d, and import again\r?\n`, other.Process.Pid))
	if code := s.end(); code != 1 {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	if listed, err := b.command("list", "--connected").Output(); err != nil || strings.Contains(string(listed), "gitlab") {
		t.Errorf("%s, %v", listed, err)
	}
}
