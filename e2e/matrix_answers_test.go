package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"path/filepath"
	"strings"
	"sync"
)

// answers is the service of a trial: every intercepted host, with answers that the
// clients of the matrix understand.
type answers struct {
	served string // the repositories of git

	mu             sync.Mutex // guards the following
	arrived, naked []string
	problems       []string
}

func newAnswers() *answers { return &answers{} }

// serve starts the service, and returns the file with its authority.
func (a *answers) serve(spec trial) (caFile string, err error) {
	a.served = filepath.Join(spec.Dir, "repositories")
	caFile, config := certificates(spec.Dir, spec.Hosts...)
	l, err := net.Listen("tcp", oracleAddress)
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: a, TLSConfig: config, ReadHeaderTimeout: limit}
	go server.ServeTLS(l, "", "")
	return caFile, nil
}

func (a *answers) seen() (arrived, naked, problems []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.arrived, a.naked, a.problems
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body []byte
	if r.Header.Get("Upgrade") == "" && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	authorized := carriesSecret(r, body)
	a.mu.Lock()
	line := fmt.Sprintf("%s %s%s", r.Method, r.Host, r.URL.Path)
	if authorized {
		a.arrived = append(a.arrived, line)
	} else {
		a.naked = append(a.naked, line)
	}
	a.mu.Unlock()
	if !authorized {
		http.Error(w, `{"error":{"message":"not authorized"}}`, http.StatusUnauthorized)
		return
	}
	switch {
	case strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
		grpcServer.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/git/"):
		(&cgi.Handler{
			Path: "/usr/lib/git-core/git-http-backend", Root: "/git",
			Env: []string{"GIT_PROJECT_ROOT=" + a.served, "GIT_HTTP_EXPORT_ALL=1"},
		}).ServeHTTP(w, r)
	case r.URL.Path == "/socket":
		socket(w, r)
	case a.vendor(w, r, body):
	default:
		fmt.Fprint(w, "hello from "+r.Host)
	}
}

// carriesSecret reports whether a request has the secret of an account in one of its
// header fields, or AWS's signature with it, and no placeholder.
func carriesSecret(r *http.Request, body []byte) bool {
	var head bytes.Buffer
	fmt.Fprintln(&head, r.RequestURI)
	r.Header.Write(&head)
	if strings.Contains(head.String(), mark) {
		return false
	}
	for _, account := range accounts {
		if account.secret != "" && strings.Contains(head.String(), account.secret) {
			return true
		}
	}
	return strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256") && verifySignature(seenRequest{r, body}) == nil
}

// serverName reads a ClientHello and returns its server name.
func serverName(c net.Conn) (name string) {
	name = "unknown:443"
	tls.Server(c, &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello.ServerName != "" {
			name = hello.ServerName
		}
		return nil, errRecorded
	}}).HandshakeContext(context.Background())
	return name
}
