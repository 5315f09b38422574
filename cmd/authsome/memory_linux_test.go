package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A child of the same user is kept out of the memory that holds the tokens; its
// own stays its own, or nobody could debug an agent.
func TestChildCannotLookIntoTheRun(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("root alone can become an ordinary user here; the others see it in their own runs")
	}
	dir, err := os.MkdirTemp("/tmp", "authsome-memory-") // an ordinary user reaches it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "authsome")
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, data, 0o755); err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	look := `for f in environ maps mem; do (: </proc/$PPID/$f) 2>/dev/null && echo "open $f"; done; (: </proc/$$/environ) && echo own`
	cmd := exec.Command(binary, "run", "--quiet", "--", "sh", "-c", look)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "AUTHSOME_HOME=" + filepath.Join(dir, "home"), "TMPDIR=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &problems)
	}
	if got := strings.TrimSpace(out.String()); got != "own" {
		t.Errorf("the child could: %s", got)
	}
}
