package e2e

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// publishedServer is an HTTP server that runs in a fence, at the address E2E_LISTEN. A
// line in standard input releases the requests for /hold; it ends with its input.
func publishedServer() {
	l, err := net.Listen("tcp", os.Getenv("E2E_LISTEN"))
	check(err)
	var opened, holding atomic.Int32
	released := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		check(err)
		w.Write(b)
	})
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("holding %d\n", holding.Add(1))
		<-released
	})
	mux.HandleFunc("/opened", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, opened.Load()) })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: limit, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}}
	go server.Serve(l)
	fmt.Println("listening")
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	close(released)
	in.Scan()
}

// freePort returns a port of this machine's loopback that nothing uses.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestIsolatedPublish reaches servers of an isolated command at this machine's loopback.
func TestIsolatedPublish(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	for _, tt := range []struct{ name, host, inside, from string }{
		{"at 127.0.0.1", "127.0.0.1", "", "127.0.0.1"},
		{"at ::1", "::1", "", "127.0.0.1"},
		{"at 0.0.0.0", "0.0.0.0", "", "::1"},
		{"at another port", "127.0.0.1", "3000", "127.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.t = t
			port := freePort(t)
			listen, flag := port, port
			if tt.inside != "" {
				listen, flag = tt.inside, port+":"+tt.inside
			}
			server := r.startInside("published", []string{"E2E_LISTEN=" + net.JoinHostPort(tt.host, listen)}, "--publish="+flag)
			server.waitFor(t, "listening")
			base := "http://" + net.JoinHostPort(tt.from, port)
			exchangeMany(t, base)
			server.end(t)
			l, err := net.Listen("tcp", net.JoinHostPort(tt.from, port))
			if err != nil {
				t.Fatalf("after the run: %v", err)
			}
			l.Close()
		})
	}
}

// exchangeMany sends 200 requests over 20 connections, two of them with big bodies.
func exchangeMany(t *testing.T, base string) {
	t.Helper()
	const connections = 20
	transport := &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: limit}
	big := make([]byte, 8<<20)
	rand.Read(big)
	var all sync.WaitGroup
	for n := range connections {
		all.Go(func() {
			for m := range 10 {
				body := fmt.Appendf(nil, "hello %d %d", n, m)
				if n < 2 && m == 5 {
					body = big
				}
				if got, err := post(client, base+"/echo", body); err != nil || !bytes.Equal(got, body) {
					t.Errorf("sent %d bytes, received %d: %v", len(body), len(got), err)
				}
			}
		})
	}
	all.Wait()
	if got, err := post(client, base+"/opened", nil); err != nil || string(got) != fmt.Sprint(connections) {
		t.Errorf("%s connections: %v", got, err)
	}
}

func post(client *http.Client, url string, body []byte) ([]byte, error) {
	response, err := client.Post(url, "", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(response.Status))
	}
	return b, err
}

// TestIsolatedPublishMany opens more connections than a fence has sockets for. Those
// beyond it wait, and are served when others have ended.
func TestIsolatedPublishMany(t *testing.T) {
	t.Parallel()
	const atOnce, clients = 64, 100
	r := newNobodyRig(t)
	port := freePort(t)
	server := r.startInside("published", []string{"E2E_LISTEN=[::1]:" + port}, "--publish="+port)
	server.waitFor(t, "listening")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			if _, err := post(client, "http://127.0.0.1:"+port+"/hold", nil); err != nil {
				t.Error(err)
			}
		})
	}
	server.waitFor(t, fmt.Sprintf("holding %d", atOnce))
	if _, err := io.WriteString(server.stdin, "release\n"); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	server.end(t)
}

// TestIsolatedPublishWithoutServer checks that a client learns at once that nothing
// listens inside, and that a port in use is named.
func TestIsolatedPublishWithoutServer(t *testing.T) {
	t.Parallel()
	r := newNobodyRig(t)
	port := freePort(t)
	server := r.startInside("published", []string{"E2E_LISTEN=127.0.0.1:1024"}, "--publish="+port+":1025")
	server.waitFor(t, "listening")
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(3 * time.Second)) // less than the fence's own limit
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes, %v", n, err)
	}
	i := r.isolate("echo started", "--publish="+port+":1025")
	if i.exit != 1 || i.out != "" || !strings.Contains(i.report, "publish port "+port) || !strings.Contains(i.report, "--publish PORT:1025") {
		t.Errorf("exit %d: %s%s", i.exit, i.out, i.report)
	}
	server.end(t)
}
