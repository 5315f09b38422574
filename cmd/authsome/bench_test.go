package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/ca"
)

// limit is how long tests wait for the program.
const limit = 30 * time.Second

// connect sends CONNECT to the proxy at addr and returns the status and the reason.
func connect(addr, target, header string) string {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target, target, header)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	return response.Status + " " + response.Header.Get("X-Authsome-Error")
}

// service is an HTTPS service that keeps the Authorization headers that it received.
type service struct {
	host string
	addr string
	ca   string // the file with the certificate of its authority
	tls  *tls.Config

	answer http.HandlerFunc // if nil, "fine"

	mu   sync.Mutex // guards seen
	seen []string
}

func startService(t *testing.T) *service {
	t.Helper()
	authority, err := ca.New(ca.Options{CommonName: "service authority"})
	if err != nil {
		t.Fatal(err)
	}
	s := &service{host: "api.resend.com", ca: filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(s.ca, authority.CertificatePEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.tls = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) }}
	server := &http.Server{
		ErrorLog:  log.New(io.Discard, "", 0), // of clients that do not trust it
		TLSConfig: s.tls.Clone(),              // the server changes it
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = append(s.seen, r.Header.Get("Authorization"))
			if s.answer != nil {
				s.answer(w, r)
				return
			}
			fmt.Fprint(w, "fine")
		}),
	}
	go server.ServeTLS(l, "", "")
	t.Cleanup(func() { server.Close() })
	return s
}

// flags are the flags with which the proxy reaches the service and trusts it.
func (s *service) flags() []string {
	_, port, _ := net.SplitHostPort(s.addr)
	return []string{"--connect-to", s.host + ":443:127.0.0.1:" + port, "--upstream-ca", s.ca}
}

func (s *service) authorizations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// bench is a home and the program, for tests that need more than one process.
type bench struct {
	t      *testing.T
	home   string
	binary string
	more   []string     // additional variables
	out    bytes.Buffer // what all processes printed
	mu     sync.Mutex   // guards out
}

func newBench(t *testing.T) *bench {
	t.Helper()
	binary, err := exec.LookPath("authsome") // testscript put it into PATH
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, home: filepath.Join(t.TempDir(), "home"), binary: binary}
}

func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func (b *bench) command(args ...string) *exec.Cmd {
	cmd := exec.Command(b.binary, args...)
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasSuffix(strings.ToUpper(name), "_PROXY") && !strings.HasPrefix(name, "AUTHSOME_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, "AUTHSOME_HOME="+b.home), b.more...)
	cmd.Stderr = b
	return cmd
}

func (b *bench) run(stdin string, args ...string) {
	b.t.Helper()
	cmd := b.command(args...)
	cmd.Stdin, cmd.Stdout = strings.NewReader(stdin), b
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("authsome %v: %v\n%s", args, err, b.out.String())
	}
}

// proxy starts `authsome proxy` and returns its addresses when it serves.
func (b *bench) proxy(args ...string) (cmd *exec.Cmd, proxy, admin string) {
	b.t.Helper()
	cmd = b.command(append([]string{"proxy", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var said struct{ Proxy, Admin string }
	if err := json.NewDecoder(io.TeeReader(out, b)).Decode(&said); err != nil {
		b.t.Fatalf("the proxy did not start: %v\n%s", err, b.out.String())
	}
	return cmd, said.Proxy, said.Admin
}

// client returns a client that uses the proxy and trusts its authority.
func client(t *testing.T, proxy, admin string) *http.Client {
	t.Helper()
	response, err := http.Get("http://" + admin + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	pem, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %q", pem)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: limit}
}

func fetch(t *testing.T, c *http.Client, u string) (int, string) {
	t.Helper()
	response, err := c.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// eventually waits until a condition holds that another process brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("this did not happen within %v: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// contains checks that a text contains all of want.
func contains(t *testing.T, where, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%s: no %s", where, w)
		}
	}
}

// auditLog returns the audit log.
func (b *bench) auditLog() string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.home, "audit.log"))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// noLeaks checks that no secret is in the home, in what the processes printed, or in
// the texts, which are named by where they are from.
func (b *bench) noLeaks(texts map[string]string, secrets ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	texts["output"] = b.out.String()
	for i, s := range secrets {
		for where, text := range texts {
			if found := leaks([]byte(text), s); len(found) > 0 {
				b.t.Errorf("%s contains secret %d: %v", where, i, found)
			}
		}
		if found := findSecret(b.home, s); len(found) > 0 {
			b.t.Errorf("files contain secret %d: %v", i, found)
		}
	}
}
