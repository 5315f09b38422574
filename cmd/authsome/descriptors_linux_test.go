package main

import (
	"io"
	"net"
	"net/http"
	"testing"

	"golang.org/x/sys/unix"
)

// A proxy without free descriptors goes on: it answers on the connections that it has,
// each time with a response of the service or with its own reason, and clients that
// connect wait. When descriptors are free again, so is everything else.
func TestDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	b, f := newBench(t), startFaultyService(t, nil)
	b.run("re_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	cmd, proxy, admin := b.proxy(f.flags()...)
	c, u := client(t, proxy, admin), "https://"+f.host+"/emails"
	if status, body := fetch(t, c, u); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	before := openNow(t, admin)
	var limits unix.Rlimit
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &limits); err != nil {
		t.Fatal(err)
	}
	few := limits
	few.Cur = uint64(before.descriptors) + 10
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	var idle []net.Conn
	for range 40 {
		conn, err := net.Dial("tcp", proxy) // the kernel accepts it
		if err != nil {
			t.Fatal(err)
		}
		idle = append(idle, conn)
	}
	answers := make(map[string]int)
	ask := func() {
		response, err := c.Get(u)
		if err != nil {
			t.Fatalf("on an open connection: %v", err)
		}
		io.Copy(io.Discard, response.Body) // so that the connection is kept
		response.Body.Close()
		code := response.Header.Get("X-Authsome-Error")
		if code == "" && response.StatusCode != http.StatusOK || code != "" && response.StatusCode < 500 {
			t.Errorf("%s %q", response.Status, code)
		}
		if answers["all"]++; code != "" {
			answers["refused"]++
		}
	}
	eventually(t, "the descriptors run out", func() bool {
		f.set("") // closes the connections of the proxy, which takes in clients instead
		ask()
		return answers["refused"] >= 10
	})
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_NOFILE, &limits, nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("answers without free descriptors: %v", answers)
	for _, conn := range idle {
		conn.Close()
	}
	eventually(t, "requests are served again", func() bool { status, _ := fetch(t, c, u); return status == 200 })
	if got := connect(proxy, f.host+":443", ""); got[:3] != "200" {
		t.Errorf("a new connection: %s", got)
	}
	settles(t, admin, before)
}
