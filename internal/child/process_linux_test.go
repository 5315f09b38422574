package child

import (
	"fmt"
	"io"
	"syscall"
	"testing"
)

// When a run is killed, its child is killed too, even if it ignores signals: it
// could not reach a proxy any more.
func TestChildIsKilledWithItsRun(t *testing.T) {
	run := start(t, "CHILD_TEST_ROLE=run")
	var parent, child int
	var terminal bool
	if _, err := fmt.Sscanf(run.line(), "ready %d %d %t", &parent, &child, &terminal); err != nil || parent != run.Process.Pid || terminal {
		t.Fatalf("%v: pid of the run %d, parent of the child %d, terminal %v", err, run.Process.Pid, parent, terminal)
	}
	if err := syscall.Kill(parent, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The pipe ends when the last process that has it open ends. The child does not
	// end unless it is killed.
	if rest, err := io.ReadAll(run.out); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}
