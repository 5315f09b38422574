package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// oracle is the upstream's handler. It records the requests that arrive, and waits
// for the client in tests of streams.
type oracle struct {
	key string

	mu   sync.Mutex // guards seen
	seen []arrival

	reported chan int // the client has received event n
	received chan int // the upstream has received chunk n
}

// upstream serves HTTPS on one port and control requests on another, until its
// standard input is closed.
func upstream() {
	in := bufio.NewReader(os.Stdin)
	key, err := in.ReadString('\n')
	check(err)
	o := &oracle{key: strings.TrimSpace(key), reported: make(chan int), received: make(chan int)}
	caFile, config := certificates(os.Getenv("E2E_DIR"), routeHost, otherHost)
	if offered := os.Getenv("E2E_UPSTREAM_ALPN"); offered != "" {
		config.NextProtos = []string{offered}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := &http.Server{Handler: o, TLSConfig: config, ReadHeaderTimeout: limit}
	go server.ServeTLS(l, "", "")
	control, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(control, o.control())
	check(json.NewEncoder(os.Stdout).Encode(map[string]string{"TLS": l.Addr().String(), "Control": control.Addr().String(), "CA": caFile}))
	io.Copy(io.Discard, in)
}

func (o *oracle) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/arrivals", func(w http.ResponseWriter, _ *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		json.NewEncoder(w).Encode(append([]arrival{}, o.seen...))
		o.seen = nil
	})
	number := func(r *http.Request) int {
		n, err := strconv.Atoi(r.FormValue("n"))
		check(err)
		return n
	}
	mux.HandleFunc("/event-seen", func(_ http.ResponseWriter, r *http.Request) { o.reported <- number(r) })
	mux.HandleFunc("/wait-chunk", func(_ http.ResponseWriter, r *http.Request) {
		if want, got := number(r), <-o.received; got != want {
			panic(fmt.Sprintf("chunk %d, not %d", got, want))
		}
	})
	return mux
}

func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent := r.Header["Authorization"]
	a := arrival{Host: r.Host, Method: r.Method, Path: r.URL.Path, Proto: r.Proto, Authorizations: len(sent)}
	a.Authorized = len(sent) == 1 && sent[0] == "Bearer "+o.key
	o.mu.Lock()
	o.seen = append(o.seen, a)
	o.mu.Unlock()
	if (r.Host == routeHost || r.URL.Path == "/verify") && !a.Authorized {
		http.Error(w, "not authorized", http.StatusUnauthorized)
		return
	}
	switch {
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		grpcServer.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/git/"):
		o.git(w, r)
	case r.URL.Path == "/events":
		o.events(w)
	case r.URL.Path == "/chunks":
		o.chunks(r)
	case r.URL.Path == "/socket":
		socket(w, r)
	case r.URL.Path == "/down":
		n, err := strconv.ParseInt(r.FormValue("n"), 10, 64)
		check(err)
		io.CopyN(w, zeros{}, n)
	case r.URL.Path == "/echo":
		w.Header().Set("Content-Type", "text/plain")
		if coding := r.URL.Query().Get("coding"); coding != "" {
			w.Header().Set("Content-Encoding", coding)
		}
		r.Header.Write(w)
	case r.URL.Path == "/dns-query":
		question, err := io.ReadAll(r.Body)
		check(err)
		answer, err := resolveMessage(question)
		check(err)
		w.Header().Set("Content-Type", "application/dns-message")
		w.Write(answer)
	case r.URL.Path == "/rejected":
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/up":
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	case protocol(w, r), soakEvent(w, r): // it has responded
	default:
		fmt.Fprint(w, "hello from "+r.Host)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// events sends event n+1 only after the client has reported event n.
func (o *oracle) events(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := range 20 {
		fmt.Fprintf(w, "data: %d\n\n", n)
		w.(http.Flusher).Flush()
		select {
		case got := <-o.reported:
			if got != n {
				panic("events out of order")
			}
		case <-time.After(limit / 2):
			panic(http.ErrAbortHandler)
		}
	}
}

// chunks reports each chunk that arrives. The client sends the next one only then.
func (o *oracle) chunks(r *http.Request) {
	lines := bufio.NewScanner(r.Body)
	for n := 0; lines.Scan(); n++ {
		if lines.Text() != fmt.Sprint(n) {
			panic("chunks out of order")
		}
		o.received <- n
	}
}

func socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(16 << 20)
	for {
		kind, b, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, b); err != nil {
			return
		}
	}
}

// git serves repositories with git's own program for smart HTTP.
func (o *oracle) git(w http.ResponseWriter, r *http.Request) {
	(&cgi.Handler{
		Path: "/usr/lib/git-core/git-http-backend", Root: "/git",
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Join(os.Getenv("E2E_DIR"), "repositories"), "GIT_HTTP_EXPORT_ALL=1"},
	}).ServeHTTP(w, r)
}

// certificates creates an authority and a certificate for hosts. The authority's
// certificate is in caFile.
func certificates(dir string, hosts ...string) (caFile string, config *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: authority}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(err)
	root, err := x509.ParseCertificate(der)
	check(err)
	caFile = filepath.Join(dir, "upstream-ca.pem")
	check(os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: hosts[0]}, NotBefore: template.NotBefore, NotAfter: template.NotAfter,
		DNSNames: hosts, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, key)
	check(err)
	return caFile, &tls.Config{NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}}}
}

// check ends a process of a test, which has no testing.T, on an error.
func check(err error) {
	if err != nil {
		panic(err)
	}
}
