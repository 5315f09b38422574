package vault

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func process(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "VAULT_TEST_ROLE="+role, "VAULT_TEST_DIR="+dir)
	return cmd
}

// count adds one to a record n times, saying each number once it is acknowledged.
func count(dir, record string, n int) {
	key, err := localKeeper(filepath.Dir(dir)).Load()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	v, err := Open(dir, key)
	for i := 0; err == nil && i < n; i++ {
		var now int
		err = v.Update(context.Background(), func(tx *Tx) error {
			b, err := tx.Get(record)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			now, _ = strconv.Atoi(string(b))
			now++
			return tx.Put(record, []byte(strconv.Itoa(now)))
		})
		if err == nil {
			fmt.Println(now)
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// holdLock holds the vault's lock until it is killed.
func holdLock(dir string) {
	if _, err := lock(context.Background(), filepath.Join(dir, "vault.lock"), exclusive, nil); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	select {}
}

// AUTHSOME_VAULT_PROCESSES processes that start at once, in a home that none has
// made yet.
func TestManyProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profile")
	n := number(t, "AUTHSOME_VAULT_PROCESSES", 40)
	var all []*exec.Cmd
	var outputs []*bytes.Buffer
	for range n {
		cmd, out := process(t, "count", dir), new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		all, outputs = append(all, cmd), append(outputs, out)
	}
	for i, cmd := range all {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, outputs[i])
		}
	}
	key, err := ReadKey(filepath.Dir(dir), Place{Mode: ModeLocalKey})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := get(mustOpen(t, dir, key), "count"); got != strconv.Itoa(n) || err != nil {
		t.Errorf("%s updates of %d are there: %v", got, n, err)
	}
}

// Writers that are killed at any moment block nobody, and lose nothing that they
// said was written. AUTHSOME_VAULT_KILLS says how many.
func TestKilledWriters(t *testing.T) {
	v, dir, _ := newVault(t)
	kills := number(t, "AUTHSOME_VAULT_KILLS", 25)
	const writers = 3
	left := make(chan struct{}, kills)
	for range kills {
		left <- struct{}{}
	}
	close(left)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			record, acknowledged := fmt.Sprint("count ", w), 0
			for range left {
				cmd := process(t, "write-forever", dir)
				cmd.Env = append(cmd.Env, "VAULT_TEST_RECORD="+record)
				out, err := cmd.StdoutPipe()
				if err == nil {
					err = cmd.Start()
				}
				if err != nil {
					t.Error(err)
					return
				}
				lines := bufio.NewScanner(out)
				for range rand.N(4) {
					if !lines.Scan() {
						break
					}
					acknowledged = number1(t, lines.Text())
				}
				time.Sleep(rand.N(20 * time.Millisecond)) // at any moment of the next write, or of its start
				cmd.Process.Kill()
				for lines.Scan() {
					acknowledged = number1(t, lines.Text())
				}
				cmd.Wait()
				got, err := get(v, record)
				if errors.Is(err, ErrNotFound) && acknowledged == 0 {
					continue
				}
				if err != nil {
					t.Errorf("the first command after a kill: %v", err)
					return
				}
				now := number1(t, got)
				if now < acknowledged || now > acknowledged+1 {
					t.Errorf("%d acknowledged, %d found", acknowledged, now)
				}
				acknowledged = now
			}
		})
	}
	all.Wait()
}

func number1(t *testing.T, text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Errorf("a writer says %q", text)
	}
	return n
}

// Who waits too long is told who is in the way, as long as that one lives; and
// nobody is blocked by one who was killed.
func TestHolderIsNamed(t *testing.T) {
	v, dir, _ := newVault(t)
	cmd := process(t, "hold", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if held, err := bufio.NewReader(out).ReadString('\n'); held != "held\n" {
		t.Fatalf("it says %q: %v", held, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err = v.View(ctx, func(*Tx) error { return nil })
	if !errors.Is(err, ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a held lock: %v", err)
	}
	if named := strings.Contains(fmt.Sprint(err), fmt.Sprintf("process, %d (", cmd.Process.Pid)); named != (runtime.GOOS == "linux") {
		t.Errorf("the holder is %d: %v", cmd.Process.Pid, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err := v.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
		t.Errorf("after it was killed: %v", err)
	}
}
