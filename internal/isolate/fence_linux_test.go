package isolate

import (
	"os"
	"strings"
	"testing"
)

func TestFence(t *testing.T) {
	home := t.TempDir()
	os.WriteFile(home+"/master.key", []byte("secret"), 0o600)
	out, _ := os.CreateTemp(t.TempDir(), "")
	f, err := Start(t.Context(), Options{Home: home, Stdout: out, Stderr: out, Getenv: os.Getenv, Ports: []int{443, 80}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	t.Log(f.Proxy.Addr())
	if err := f.Exec([]string{"sh", "-c", "id; ls -la " + home + "; cat /etc/resolv.conf; ip a; grep -i cap /proc/self/status; curl -sS -m 2 http://1.1.1.1:81/; ls -la /proc/self/fd; pwd"}, os.Environ()); err != nil {
		t.Fatal(err)
	}
	err = f.Cmd.Wait()
	b, _ := os.ReadFile(out.Name())
	t.Log(err, strings.TrimSpace(string(b)))
}
