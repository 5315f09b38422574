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

// process is another process, which runs a role of TestMain on the vault in dir.
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

// count increments a record n times and prints each number when it is stored.
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

// TestManyProcesses starts AUTHSOME_VAULT_PROCESSES processes at the same time, in
// a home without a key or a vault.
func TestManyProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "profile")
	n := envInt(t, "AUTHSOME_VAULT_PROCESSES", 40)
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
		t.Errorf("%s of %d updates are stored: %v", got, n, err)
	}
}

// A writer that is killed at any moment blocks no other process and loses no value
// that it reported as stored. AUTHSOME_VAULT_KILLS is the number of kills.
func TestKilledWriters(t *testing.T) {
	v, dir, _ := newVault(t)
	kills := envInt(t, "AUTHSOME_VAULT_KILLS", 25)
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
					acknowledged = parseCount(t, lines.Text())
				}
				time.Sleep(rand.N(20 * time.Millisecond)) // until any moment of the next write, or of the start
				cmd.Process.Kill()
				for lines.Scan() {
					acknowledged = parseCount(t, lines.Text())
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
				now := parseCount(t, got)
				if now < acknowledged || now > acknowledged+1 {
					t.Errorf("%d acknowledged, %d found", acknowledged, now)
				}
				acknowledged = now
			}
		})
	}
	all.Wait()
}

func parseCount(t *testing.T, text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Errorf("a writer printed %q", text)
	}
	return n
}

// A wait that times out reports the process that holds the lock. A killed process
// holds no lock.
func TestLockErrorNamesHolder(t *testing.T) {
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
		t.Fatalf("it printed %q: %v", held, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err = v.View(ctx, func(*Tx) error { return nil })
	if !errors.Is(err, ErrLocked) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("lock held by another process: %v", err)
	}
	if named := strings.Contains(fmt.Sprint(err), fmt.Sprintf("process, %d (", cmd.Process.Pid)); named != (runtime.GOOS == "linux") {
		t.Errorf("the holder is process %d: %v", cmd.Process.Pid, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err := v.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
		t.Errorf("after it was killed: %v", err)
	}
}
