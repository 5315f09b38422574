package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// survivor moves to another session, and leaves its parent. When the file "killed" exists,
// it tries to reach what the run had, and what is outside.
const survivor = `
probe() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name yes"; else echo "$name no"; fi; }
reach() {
	probe proxy curl -sS -m 5 -o /dev/null https://api.upstream.test/x
	probe captured env -u HTTPS_PROXY -u https_proxy curl -sSk -m 5 -o /dev/null https://api.upstream.test/x
	probe literal curl -sS -m 5 -o /dev/null --noproxy '*' telnet://$OUTSIDE </dev/null
	probe key test -s "$VAULT/master.key"
	probe outside test -s "$OUTSIDE_FILE"
}
reach >before
setsid sh -c 'exec >/dev/null 2>&1; echo $$ >survivor; while [ ! -e killed ]; do sleep 0.02; done; . ./reach >during; mv during after; while :; do sleep 1; done' &
wait
`

// TestIsolateSurvivor ends an isolated run by SIGKILL. A process that the command has
// moved to another session survives, without network and without the vault.
func TestIsolateSurvivor(t *testing.T) {
	r := newRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	arrived := make(chan struct{}, 10)
	go greetAll(l, func(net.Conn) { arrived <- struct{}{} })
	script, functions, _ := strings.Cut(survivor, "reach >before\n")
	for name, text := range map[string]string{"outside": "text", "reach": script + "reach\n", "start": script + "reach >before\n" + functions} {
		if err := os.WriteFile(filepath.Join(r.tmp, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := r.command([]string{"OUTSIDE=" + l.Addr().String(), "VAULT=" + r.home, "OUTSIDE_FILE=" + filepath.Join(r.tmp, "outside")}, "--isolate", "sh", "start")
	run.Stderr = os.Stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	exists := func(name string) func() bool {
		return func() bool {
			info, err := os.Stat(filepath.Join(r.tmp, name))
			return err == nil && info.Size() > 0
		}
	}
	waitFor(t, "the survivor starts", exists("survivor"))
	pid := r.number("survivor")
	t.Cleanup(func() { syscall.Kill(-pid, syscall.SIGKILL) })
	r.wantReached("before", map[string]string{"proxy": "yes", "captured": "yes", "literal": "no", "key": "no", "outside": "yes"})
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	run.Wait()
	r.arrivals()
	if err := os.WriteFile(filepath.Join(r.tmp, "killed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the survivor reports", exists("after"))
	r.wantReached("after", map[string]string{"proxy": "no", "captured": "no", "literal": "no", "key": "no", "outside": "yes"})
	if all := r.arrivals(); len(all) > 0 || len(arrived) > 0 {
		t.Errorf("arrived after the run: %+v, and %d connections", all, len(arrived))
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the survivor: %v", err)
	}
	r.wantNoMounts()
}

// wantReached compares what a probe reached.
func (r *rig) wantReached(file string, want map[string]string) {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.tmp, file))
	if err != nil {
		r.t.Fatal(err)
	}
	got := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, answer, _ := strings.Cut(strings.TrimSpace(line), " ")
		got[name] = answer
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s: %v, want %v", file, got, want)
	}
}

func (r *rig) number(file string) int {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.tmp, file))
	if err != nil {
		r.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}
