package sidecar

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// A page in a browser whose name resolves to the admin port reads nothing from it.
func TestAdminServesKnownHostsOnly(t *testing.T) {
	for host, want := range map[string]int{
		"127.0.0.1:9464": 200, "127.0.0.1": 200, "[::1]:9464": 200, "10.0.0.7": 200, "localhost:9464": 200, "LOCALHOST.": 200, "authsome:9464": 200,
		"metrics.example.com:9464": 200, "Metrics.Example.Com.": 200, "": 200,
		"evil.example:9464": 421, "evil.example": 421, "x.localhost": 421, "metrics.example.com.evil.example": 421, "127.0.0.1.evil.example": 421,
		"2130706433.evil.example": 421, "0x7f.1": 421, "a b": 421,
	} {
		if got := knownHost(host, []string{"metrics.example.com"}); got != (want == 200) {
			t.Errorf("%q: %t", host, got)
		}
	}
	address := serveAdmin(t, "metrics.example.com")
	for host, want := range map[string]string{
		"evil.example": "HTTP/1.1 421 Misdirected Request", "metrics.example.com": "HTTP/1.1 200 OK", "authsome:9464": "HTTP/1.1 200 OK",
	} {
		for _, path := range []string{"/metrics", "/healthz", "/ca.pem", "/"} {
			c := dialAdmin(t, address)
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host)
			status, err := bufio.NewReader(c).ReadString('\n')
			if got := status[:max(len(status)-2, 0)]; got != want || err != nil {
				t.Errorf("%s%s: %s, %v", host, path, got, err)
			}
		}
	}
}

// Idle connections do not keep others from the admin port.
func TestAdminClosesItsOldestConnections(t *testing.T) {
	address := serveAdmin(t)
	var idle []net.Conn
	for range maxAdminConns + 10 {
		idle = append(idle, dialAdmin(t, address))
	}
	for _, c := range idle[:10] {
		if n, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("an old connection: %d, %v", n, err)
		}
	}
	last := idle[len(idle)-1]
	fmt.Fprintf(last, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if response, err := http.ReadResponse(bufio.NewReader(last), nil); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("the newest connection: %v, %v", response, err)
	}
}

func serveAdmin(t *testing.T, names ...string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := AdminServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), names, slog.New(slog.DiscardHandler))
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

func dialAdmin(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}
