package child

import (
	"fmt"
	"io"
	"syscall"
	"testing"
)

// A run that is killed takes its child along, whatever that does with signals:
// alone it would go on with a proxy that is no more.
func TestChildDiesWithItsRun(t *testing.T) {
	run := start(t, "CHILD_TEST_ROLE=run")
	var parent, child int
	var terminal bool
	if _, err := fmt.Sscanf(run.line(), "ready %d %d %t", &parent, &child, &terminal); err != nil || parent != run.Process.Pid || terminal {
		t.Fatalf("%v: the run is %d, the child's parent %d, on a terminal: %v", err, run.Process.Pid, parent, terminal)
	}
	if err := syscall.Kill(parent, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The pipe ends when the last that holds it does, and the child does not end
	// by itself.
	if rest, err := io.ReadAll(run.out); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}
