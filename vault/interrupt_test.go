package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
)

var errStopped = errors.New("stopped")

// A change is interrupted after each of its steps in turn. Every vault still opens,
// and Resume completes the change.
func TestInterruptedChange(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			prepared := prepare(t, c.from)
			for stop := 1; ; stop++ {
				h, old := prepared.clone(t), prepared.key
				from, err := h.keeper().Places()
				if err != nil {
					t.Fatal(err)
				}
				before := h.vaultFiles(t)
				k, n, at := h.keeper(), 0, ""
				k.afterStep = func(step string) error {
					if n++; n == stop {
						at = step
						return errStopped
					}
					return nil
				}
				err = k.Change(context.Background(), h.change(name))
				if at == "" {
					if err != nil || stop < 6 {
						t.Fatalf("after %d steps: %v", n, err)
					}
					return
				}
				if !errors.Is(err, errStopped) {
					t.Fatalf("stopped at step %d, %s: %v", stop, at, err)
				}
				if stop%2 == 0 { // with and without opening the vaults in between
					h.wantRecords(t)
				}
				if _, err := h.keeper().Resume(context.Background()); err != nil {
					t.Fatalf("resumed after step %d, %s: %v", stop, at, err)
				}
				h.wantRecords(t)
				if at == "save the next place" && name != "to an existing file" {
					continue // no key was stored yet, so Resume ended the change
				}
				if c.from.Mode == ModeFile && c.to.Mode != ModeFile {
					os.Remove(placeIn(h.dir, c.from).File)
				}
				h.wantDone(t, old, before, c.reseal)
				wantNoEntry(t, from.Place)
				if t.Failed() {
					t.Fatalf("after step %d, %s", stop, at)
				}
			}
		})
	}
}

// A process is killed after each step of the change that writes most. The next
// attempt completes it.
func TestKilledChange(t *testing.T) {
	for _, name := range []string{"rotate and reseal"} {
		t.Run(name, func(t *testing.T) {
			prepared := prepare(t, changes[name].from)
			for stop := 1; ; stop++ {
				h, old := prepared.clone(t), prepared.key
				before := h.vaultFiles(t)
				cmd := process(t, "change", h.dir)
				cmd.Env = append(cmd.Env, "VAULT_TEST_CHANGE="+name, "VAULT_TEST_STOP="+strconv.Itoa(stop))
				out, err := cmd.CombinedOutput()
				if err == nil {
					if stop < 6 {
						t.Fatalf("the change had fewer than %d steps: %s", stop, out)
					}
					return
				}
				if s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
					t.Fatalf("step %d: %v: %s", stop, err, out)
				}
				h.wantRecords(t)
				if err := h.keeper().Change(context.Background(), h.change(name)); err != nil {
					t.Fatalf("tried again after step %d: %v", stop, err)
				}
				h.wantRecords(t)
				h.wantDone(t, old, before, true)
				if t.Failed() {
					t.Fatalf("after step %d", stop)
				}
			}
		})
	}
}

// changeAndDie starts a change and kills its process after one step.
func changeAndDie(dir string) {
	h := &testHome{dir: dir, passphrase: "correct horse"}
	stop, _ := strconv.Atoi(os.Getenv("VAULT_TEST_STOP"))
	k, n := h.keeper(), 0
	k.afterStep = func(string) error {
		if n++; n == stop {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}
	if err := k.Change(context.Background(), h.change(os.Getenv("VAULT_TEST_CHANGE"))); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
