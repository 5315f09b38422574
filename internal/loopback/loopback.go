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
// the path of the page is random, and the Host and Origin headers are checked. A
// request that does not belong to the login is refused without effect: it can neither
// end the login nor influence it.
type Server struct {
	Title string // the provider's display name; set it before Listen

	pageHost  string // host and port of the page
	pagePath  string
	server    *http.Server
	templates *template.Template
	cancel    context.CancelFunc
	work      sync.WaitGroup // Serve calls and connections

	mu           sync.Mutex      // guards all fields below
	redirect     redirect        // see ListenForRedirect
	linkUsed     map[string]bool // by the path of a link
	visited      chan struct{}   // closed when a link is first opened
	stage        stage
	stageNumber  int           // counts the stages
	changed      chan struct{} // closed when stage is replaced
	formSent     bool          // see continueToProvider
	usedState    string        // the state of the answer that was accepted
	pageOpen     bool          // a browser has left a form or the provider for the page, and expects the result
	waiting      int           // pages that wait for the next stage
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

// Listen starts the server on a free port of 127.0.0.1. The caller must call Close.
func (s *Server) Listen() error {
	templates, err := parsePages()
	if err != nil {
		return fmt.Errorf("read the pages: %w", err)
	}
	listeners, err := listen(0, false)
	if err != nil {
		return err
	}
	s.templates = templates
	s.pageHost = listeners[0].Addr().String()
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
	s.serve(listeners)
	return nil
}

func (s *Server) serve(listeners []net.Listener) {
	for _, listener := range listeners {
		s.work.Go(func() { s.server.Serve(listener) })
	}
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

// listen listens on a port of 127.0.0.1, any free one if it is 0, and, if withIPv6, on
// the same port of ::1. If another process has that port of ::1 it fails: a browser that
// tries ::1 first would give that process the authorization code. If the port is taken,
// the error is a [*PortError].
func listen(port int, withIPv6 bool) ([]net.Listener, error) {
	const attempts = 20
	for i := 0; ; i++ {
		v4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, &PortError{port, err}
		}
		if !withIPv6 {
			return []net.Listener{v4}, nil
		}
		v6, err := net.Listen("tcp6", net.JoinHostPort("::1", portOf(v4)))
		switch {
		case err == nil:
			return []net.Listener{v4, v6}, nil
		case !errors.Is(err, syscall.EADDRINUSE): // the machine has no IPv6
			return []net.Listener{v4}, nil
		}
		v4.Close()
		if port != 0 || i == attempts {
			return nil, &PortError{port, err}
		}
	}
}

func portOf(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

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
	s.stageNumber++
	close(s.changed)
	s.changed = make(chan struct{})
}

// currentStage returns the stage and a channel that is closed when it is replaced.
func (s *Server) currentStage() (stage, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stage, s.changed
}
