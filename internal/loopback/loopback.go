// Package loopback is the browser side of a login: a server on 127.0.0.1 that
// shows a form, receives the authorization server's redirect and shows the result,
// and the command that opens the browser.
//
// It does not know providers and stores nothing; [flows.Authorization] decides
// whether a redirect answers the login. Its invariant: a request made by another
// program or another web page changes nothing, because paths and form tokens are
// random, the redirect must carry the login's state, and the Host and Origin
// headers must name this server.
package loopback

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Server serves one login to the user's browser: the form that asks for values,
// the redirect URI, and the result. The browser stays on one page, which shows the
// current stage of the login.
//
// Every program on the machine and every page in the browser can connect to it, so
// paths are random, and the Host and Origin headers are checked. A request that
// does not belong to the login is refused without effect: it can neither end the
// login nor influence it.
//
// The exported fields must be set before Listen.
type Server struct {
	Title string // the provider's display name

	// Host, Port and Path are the parts of the redirect URI. Zero values mean
	// 127.0.0.1, any free port, and a random path. For localhost the server also
	// listens on ::1, because the browser chooses between the two addresses.
	Host string
	Port int
	Path string

	origin       string // http://127.0.0.1:port
	callbackPath string // of the redirect URI
	pagePath     string
	listeners    []net.Listener
	server       *http.Server
	templates    *template.Template
	cancel       context.CancelFunc
	work         sync.WaitGroup // Serve calls and connections

	mu           sync.Mutex      // guards all fields below
	linkUsed     map[string]bool // by the path of a link
	visited      chan struct{}   // closed when a link is first opened
	stage        stage
	changed      chan struct{} // closed when stage is replaced
	formSent     bool          // see continueToProvider
	usedState    string        // the state of the answer that was accepted
	pageOpen     bool          // a browser has the page and expects the result
	outcomeShown chan struct{} // closed when a browser has received the result
}

// stage is what the page shows. With all fields nil the program is working, and
// the page waits for the next stage.
type stage struct {
	form    *formStage
	auth    *authStage
	outcome *Outcome
}

const (
	headTimeout = 10 * time.Second // for the head of a request; also ends idle preconnects
	bodyTimeout = 30 * time.Second
	idleTimeout = time.Minute
	sendTimeout = 10 * time.Second
	maxHead     = 16 << 10 // bytes; authorization codes can be long
)

// PortError reports that the port of a registered redirect URI cannot be used.
type PortError struct {
	Port int
	Err  error
}

func (e *PortError) Error() string {
	if errors.Is(e.Err, syscall.EADDRINUSE) {
		return fmt.Sprintf("port %d is already in use", e.Port)
	}
	return fmt.Sprintf("listen on port %d: %v", e.Port, e.Err)
}

func (e *PortError) Unwrap() error { return e.Err }

// Listen starts the server. The caller must call Close. If the port is taken, the
// error is a [*PortError].
func (s *Server) Listen() error {
	host := s.Host
	if host == "" {
		host = "127.0.0.1"
	}
	if host != "127.0.0.1" && host != "localhost" {
		return fmt.Errorf("listen for the redirect: %q is not a loopback host", host)
	}
	templates, err := parsePages()
	if err != nil {
		return fmt.Errorf("read the pages: %w", err)
	}
	s.templates = templates
	if err := s.openListeners(host == "localhost"); err != nil {
		return err
	}
	s.origin = "http://" + net.JoinHostPort(host, strconv.Itoa(s.port()))
	s.callbackPath = s.Path
	if s.callbackPath == "" {
		s.callbackPath = "/callback/" + rand.Text()
	}
	s.pagePath = "/login/" + rand.Text()
	s.linkUsed = make(map[string]bool)
	s.visited = make(chan struct{})
	s.changed = make(chan struct{})
	s.outcomeShown = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.server = &http.Server{
		Handler:           http.HandlerFunc(s.handle),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		ConnState:         s.trackConnection,
		ErrorLog:          log.New(io.Discard, "", 0), // malformed requests from strangers are not worth reporting
	}
	for _, listener := range s.listeners {
		s.work.Go(func() { s.server.Serve(listener) })
	}
	return nil
}

// trackConnection counts the connections, so that Close waits for the goroutine of
// each, and with it for each handler.
func (s *Server) trackConnection(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.work.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.work.Done()
	}
}

// openListeners listens on 127.0.0.1 and, if withIPv6, on the same port of ::1. If
// another process has that port of ::1 it fails: a browser that tries ::1 first
// would give that process the authorization code.
func (s *Server) openListeners(withIPv6 bool) error {
	const attempts = 20
	for i := 0; ; i++ {
		v4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)))
		if err != nil {
			return &PortError{s.Port, err}
		}
		s.listeners = []net.Listener{v4}
		if !withIPv6 {
			return nil
		}
		v6, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(s.port())))
		switch {
		case err == nil:
			s.listeners = append(s.listeners, v6)
			return nil
		case !errors.Is(err, syscall.EADDRINUSE): // the machine has no IPv6
			return nil
		}
		v4.Close()
		if s.Port != 0 || i == attempts {
			return &PortError{s.Port, err}
		}
	}
}

func (s *Server) port() int { return s.listeners[0].Addr().(*net.TCPAddr).Port }

// Close ends the server at once and returns when all its goroutines have ended.
func (s *Server) Close() {
	if s.server == nil {
		return
	}
	s.cancel()
	s.server.Close()
	s.work.Wait()
}

// setStage replaces the stage and wakes the browsers that wait for it.
func (s *Server) setStage(next stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setStageLocked(next)
}

// setStageLocked is setStage for a caller that holds mu.
func (s *Server) setStageLocked(next stage) {
	s.stage = next
	close(s.changed)
	s.changed = make(chan struct{})
}

// currentStage returns the stage and a channel that is closed when it is replaced.
func (s *Server) currentStage() (stage, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stage, s.changed
}
