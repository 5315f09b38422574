package intercept

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const nobody = 65534

// asNobody runs f on a thread of another user: what f opens is that user's.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user")
	}
	done := make(chan syscall.Errno)
	go func() {
		runtime.LockOSThread() // and never unlock it, so that the thread ends with the goroutine
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody)
		if errno == 0 {
			f()
		}
		done <- errno
	}()
	if errno := <-done; errno != 0 {
		t.Fatalf("become another user: %v", errno)
	}
}

func listenLocal(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func dial(t *testing.T, l net.Listener) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func accepted(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// The owner of a client is found for every kind of socket: Java's use both
// protocols, and connect to 127.0.0.1 as ::ffff:127.0.0.1.
func TestPeerUID(t *testing.T) {
	l := listenLocal(t)
	var asked peers
	defer asked.close()
	port := l.Addr().(*net.TCPAddr).Port
	mapped := unix.SockaddrInet6{Port: port, Addr: [16]byte{10: 0xff, 0xff, 127, 0, 0, 1}}
	for name, to := range map[string]unix.Sockaddr{"IPv4": &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}, "both": &mapped} {
		family := unix.AF_INET
		if name == "both" {
			family = unix.AF_INET6
		}
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, to); err != nil {
			t.Fatal(err)
		}
		c := accepted(t, l)
		if own, err := asked.own(c); !own || err != nil {
			t.Errorf("%s: own %v, %v", name, own, err)
		}
		if uid, live, err := asked.uid(c); uid != os.Geteuid() || !live || err != nil {
			t.Errorf("%s: uid %d, live %v, %v", name, uid, live, err)
		}
	}
}

// A client is identified in every state that a waiting client can be in, and in no
// other: what is left of a closed socket belongs to root, no matter who had it.
func TestOnlyLiveClientsAreIdentified(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(client, ours *net.TCPConn)
		live bool
	}{
		{"connected", func(_, _ *net.TCPConn) {}, true},
		{"own stream ended, as nc -N does", func(client, _ *net.TCPConn) { client.CloseWrite() }, true},
		{"closed", func(client, _ *net.TCPConn) { client.Close() }, false},
		{"closed, in TIME_WAIT", func(client, ours *net.TCPConn) {
			client.CloseWrite()
			io.Copy(io.Discard, ours)
			ours.CloseWrite()
			io.Copy(io.Discard, client)
			client.Close()
		}, false},
		{"reset", func(client, _ *net.TCPConn) { client.SetLinger(0); client.Close() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := listenLocal(t)
			client := dial(t, l)
			ours := accepted(t, l)
			tt.end(client, ours.(*net.TCPConn))
			var asked peers
			defer asked.close()
			if own, err := asked.own(ours); own != tt.live || err != nil {
				t.Errorf("own %v, %v", own, err)
			}
		})
	}
}

// The kernel can answer with a socket that it is closing: the client is gone. An answer
// for any other socket is an error.
func TestParseDiag(t *testing.T) {
	client, ours := netip.MustParseAddrPort("127.0.0.1:41000"), netip.MustParseAddrPort("127.0.0.1:7998")
	const uid, inode = 1000, 77
	answer := func(from, to netip.AddrPort, state byte) []byte {
		body := make([]byte, diagMessageSize)
		body[0], body[diagStateOffset] = unix.AF_INET, state
		copy(body[4:], diagID(from, to))
		binary.NativeEndian.PutUint32(body[diagUIDOffset:], uid)
		binary.NativeEndian.PutUint32(body[diagInodeOffset:], inode)
		return append(make([]byte, unix.SizeofNlMsghdr), body...)
	}
	port := func(a netip.AddrPort, p uint16) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), p) }
	for _, tt := range []struct {
		name   string
		answer []byte
		live   bool
		fails  bool
	}{
		{"connected", answer(client, ours, unix.BPF_TCP_ESTABLISHED), true, false},
		{"being closed", answer(port(client, 0), ours, unix.BPF_TCP_CLOSE), false, false},
		{"being closed, in FIN_WAIT2", answer(port(client, 0), ours, unix.BPF_TCP_FIN_WAIT2), false, false},
		{"a listener on the client's port", answer(client, port(ours, 0), unix.BPF_TCP_LISTEN), false, true},
		{"another client", answer(port(client, 41001), ours, unix.BPF_TCP_ESTABLISHED), false, true},
		{"another server", answer(client, port(ours, 7999), unix.BPF_TCP_ESTABLISHED), false, true},
		{"truncated", answer(client, ours, unix.BPF_TCP_ESTABLISHED)[:80], false, true},
	} {
		if _, live, err := parseDiag(tt.answer, client, ours); live != tt.live || (err != nil) != tt.fails {
			t.Errorf("%s: live %v, %v", tt.name, live, err)
		}
	}
}

// A connection that was reset is not identified by the next one from the same port.
func TestResetConnectionIsNotIdentifiedByItsSuccessor(t *testing.T) {
	l := listenLocal(t)
	// A separate address: a port in use cannot be chosen, also by what other tests left in TIME_WAIT.
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	first := c.(*net.TCPConn)
	from := first.LocalAddr().(*net.TCPAddr)
	io.WriteString(first, "GET / HTTP/1.1\r\n\r\n")
	first.SetLinger(0)
	first.Close()
	second, err := net.DialTCP("tcp", from, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	var asked peers
	defer asked.close()
	if own, err := asked.own(accepted(t, l)); own || err != nil {
		t.Errorf("the first connection: own %v, %v", own, err)
	}
	if own, err := asked.own(accepted(t, l)); !own || err != nil {
		t.Errorf("the second connection: own %v, %v", own, err)
	}
}

// With one socket for all questions, one can be asked while no descriptor is free.
// After a failed question the next one gets its own answer.
func TestPeersKeepOneSocket(t *testing.T) {
	l := listenLocal(t)
	dial(t, l)
	ours := accepted(t, l)
	var asked peers
	defer asked.close()
	asked.own(ours)
	fd := asked.fd
	for range 3 {
		if own, err := asked.own(ours); !own || err != nil || asked.fd != fd {
			t.Fatalf("own %v, %v, descriptor %d, before %d", own, err, asked.fd, fd)
		}
	}
	// The answer to an unknown question is on its way.
	client, _ := addrPort(ours.RemoteAddr())
	end, _ := addrPort(ours.LocalAddr())
	if err := unix.Sendto(fd, diagRequest(client, end, 12345), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	if own, err := asked.own(ours); own || err == nil {
		t.Errorf("an answer to another question counted: own %v, %v", own, err)
	}
	if own, err := asked.own(ours); !own || err != nil {
		t.Errorf("the question after it: own %v, %v", own, err)
	}
}

// waitUntilRoots returns when the kernel gives root as the user of what is left of the
// clients' sockets.
func waitUntilRoots(t *testing.T, l net.Listener, clients []netip.AddrPort) {
	t.Helper()
	ours, _ := addrPort(l.Addr())
	var asked peers
	defer asked.close()
	for _, client := range clients {
		for deadline := time.Now().Add(limit); ; runtime.Gosched() {
			answer, err := asked.ask(client, ours)
			if err != nil {
				t.Fatal(err)
			}
			uid, _, err := parseDiag(answer, client, ours)
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("uid %d, %v", uid, err)
			}
			if uid == 0 {
				break
			}
		}
	}
}

// Root's proxy serves nobody else, in particular not requests whose client is gone
// when the proxy reads them: the kernel gives root as the user of what is left.
func TestRootServesNoClosedConnectionOfAnotherUser(t *testing.T) {
	reached := make(chan string, 16)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.URL.Path }))
	defer target.Close()
	addr := target.Listener.Addr().String()
	requests := []string{
		"GET " + target.URL + "/plain HTTP/1.1\r\nHost: " + addr + "\r\n\r\n",
		"CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n\r\nGET /tunnel HTTP/1.1\r\nHost: " + addr + "\r\n\r\n",
	}
	first := newRig(t, nil)
	r := sibling(first, &Proxy{})
	l := listenLocal(t)
	sent := 0
	var closed []netip.AddrPort
	asNobody(t, func() {
		for _, request := range requests {
			for _, end := range []func(*net.TCPConn){
				func(c *net.TCPConn) {
					client, _ := addrPort(c.LocalAddr())
					closed = append(closed, client)
					c.Close()
				},
				func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
				func(c *net.TCPConn) { c.CloseWrite() },
				func(*net.TCPConn) {},
			} {
				c := dial(t, l)
				io.WriteString(c, request)
				end(c)
				sent++
			}
		}
	})
	waitUntilRoots(t, l, closed)
	r.serve(l) // accepts only now
	for range sent {
		if x := r.next(); x.Code != CodeNotYourProxy || !x.Stranger || x.Path != "" || x.Host != "" || x.Method != "" {
			t.Errorf("recorded %+v", x)
		}
	}
	// The owner's requests are served, also by a client that has ended its own stream.
	c := r.raw().(*net.TCPConn)
	io.WriteString(c, "CONNECT "+addr+" HTTP/1.1\r\nHost: "+addr+"\r\n\r\nGET /own HTTP/1.1\r\nHost: "+addr+"\r\n\r\n")
	c.CloseWrite()
	if answer, err := io.ReadAll(c); err != nil || strings.Count(string(answer), "HTTP/1.1 200 ") != 2 {
		t.Fatalf("the owner was answered %q, %v", answer, err)
	}
	if path := <-reached; path != "/own" || len(reached) > 0 {
		t.Errorf("%s and %d more requests were sent", path, len(reached))
	}
}

// Another user is told why it is refused, before it has sent anything.
func TestAnotherUserIsAnsweredUnread(t *testing.T) {
	r := newRig(t, nil)
	var answer string
	asNobody(t, func() {
		c, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		answer = string(b)
	})
	if !strings.HasPrefix(answer, "HTTP/1.1 403 ") || !strings.Contains(answer, string(CodeNotYourProxy)) {
		t.Errorf("answer %q", answer)
	}
	if x := r.next(); !x.Stranger || x.Code != CodeNotYourProxy || x.Status != http.StatusForbidden {
		t.Errorf("recorded %+v", x)
	}
}

// In a user namespace, users without a mapping have one id. A proxy with that id cannot
// tell them from its own user.
func TestUnmappedUsersAreNotOwn(t *testing.T) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestOwnPeerIsKnown$")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER} // without any mapping
	out, err := cmd.CombinedOutput()
	if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
		t.Skipf("no user namespace: %v", err)
	}
	if !strings.Contains(string(out), "outside of its namespace") {
		t.Errorf("%v: %s", err, out)
	}
}

func BenchmarkOwnPeer(b *testing.B) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	ours, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer ours.Close()
	var asked peers
	defer asked.close()
	for b.Loop() {
		if own, err := asked.own(ours); !own || err != nil {
			b.Fatal(own, err)
		}
	}
}
