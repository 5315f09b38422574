// Package loopback is the browser's side of a login: a server on this machine that
// asks for values in a form, receives the authorization server's redirect, and
// shows how the login ended, and the command that opens the browser.
//
// It knows no provider and stores nothing. Its invariant: a request that another
// program or another page made changes nothing, because everything is at an address
// that nobody can guess, and Host and Origin must be ours.
package loopback

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Server is the server on this machine that a person's browser meets during
// one login: the form that asks, the address that the authorization server sends
// the user back to, and the page that says how it ended. The browser is shown
// one page, whose content is the stage that the login is in.
//
// Anybody on the machine, and any page in the browser, can connect to it. So
// everything is at an address that nobody can guess, Host and Origin must be
// ours, and a request that does not fit is refused and changes nothing: neither
// a stray request nor a hostile one ends a login or steers it.
//
// The exported fields are set before Listen.
type Server struct {
	Title string // what people call the provider

	// Where the authorization server sends the user back to. Zero values mean
	// 127.0.0.1, any free port and a path for this login alone. For localhost,
	// ::1 is listened on as well: which of the two a browser takes is its choice.
	Host string
	Port int
	Path string

	origin    string // http://127.0.0.1:port
	callback  string // path of the redirect
	page      string // path of the page
	listeners []net.Listener
	server    *http.Server
	templates *template.Template
	cancel    context.CancelFunc
	work      sync.WaitGroup // Serve calls and connections

	mu      sync.Mutex // guards what follows
	links   map[string]bool
	stage   stage
	changed chan struct{} // closed when stage is replaced
	sent    bool          // a form was sent: the page goes on by itself, see goOn
	taken   string        // state of the answer that was taken
	seen    bool          // a browser was here, and waits to be told the end
	shown   chan struct{} // closed when the end was shown
}

// stage is what the page is about.
type stage struct {
	form *formStage
	auth *authStage
	end  *Outcome
	// none of them: something is being done, and the page waits
}

// PortError says that a port which a client is registered with is taken.
type PortError struct {
	Port int
	Err  error
}

func (e *PortError) Error() string { return fmt.Sprintf("listen on port %d: %v", e.Port, e.Err) }

func (e *PortError) Unwrap() error { return e.Err }

const (
	headTimeout = 10 * time.Second // for the head of a request; an idle pre-connect ends with it
	bodyTimeout = 30 * time.Second
	idleTimeout = time.Minute
	sendTimeout = 10 * time.Second
	maxHead     = 16 << 10 // authorization codes can be long
	partingTime = 3 * time.Second
)

// Listen starts to serve. Close ends it.
func (l *Server) Listen() error {
	host := l.Host
	if host == "" {
		host = "127.0.0.1"
	}
	if host != "127.0.0.1" && host != "localhost" {
		return fmt.Errorf("listen for the redirect: %q is not this machine", host)
	}
	templates, err := parsePages()
	if err != nil {
		return fmt.Errorf("read the pages: %w", err)
	}
	l.templates = templates
	if err := l.bind(host == "localhost"); err != nil {
		return err
	}
	l.origin = "http://" + net.JoinHostPort(host, strconv.Itoa(l.port()))
	l.callback = l.Path
	if l.callback == "" {
		l.callback = "/callback/" + nonce()
	}
	l.page = "/login/" + nonce()
	l.links = make(map[string]bool)
	l.changed = make(chan struct{})
	l.shown = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.server = &http.Server{
		Handler:           http.HandlerFunc(l.serve),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead,
		ConnState:         l.count,
		ErrorLog:          log.New(discard{}, "", 0), // what strangers send is not worth a line
	}
	for _, listener := range l.listeners {
		l.work.Go(func() { l.server.Serve(listener) })
	}
	return nil
}

// count keeps Close waiting until each connection's goroutine, and with it each
// handler, is done.
func (l *Server) count(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		l.work.Add(1)
	case http.StateClosed, http.StateHijacked:
		l.work.Done()
	}
}

// bind listens on 127.0.0.1, and on ::1 with the same port where both are asked
// for. A ::1 that another process has is not passed over: a browser that tries it
// first would bring that process the code.
func (l *Server) bind(both bool) error {
	const attempts = 20
	for i := 0; ; i++ {
		v4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port)))
		if err != nil {
			return &PortError{l.Port, err}
		}
		l.listeners = []net.Listener{v4}
		if !both {
			return nil
		}
		v6, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(l.port())))
		switch {
		case err == nil:
			l.listeners = append(l.listeners, v6)
			return nil
		case !errors.Is(err, syscall.EADDRINUSE): // no IPv6 here
			return nil
		}
		v4.Close()
		if l.Port != 0 || i == attempts {
			return &PortError{l.Port, err}
		}
	}
}

func (l *Server) port() int { return l.listeners[0].Addr().(*net.TCPAddr).Port }

// RedirectURI is where the authorization server sends the user back to.
func (l *Server) RedirectURI() string { return l.origin + l.callback }

// Link makes an address that leads a browser to the page, once. It is made for a
// place that others can look into, such as the arguments of a command: whoever
// comes second finds out that somebody was there before.
func (l *Server) Link() string {
	path := "/" + nonce()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links[path] = false
	return l.origin + path
}

// Finish shows how the login ended. It returns when the browser that waits has
// the page, or does not come for it; and at once if there was no browser.
func (l *Server) Finish(ctx context.Context, o Outcome) {
	l.enter(stage{end: &o})
	l.mu.Lock()
	seen := l.seen
	l.mu.Unlock()
	if !seen {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, partingTime)
	defer cancel()
	select {
	case <-l.shown:
	case <-ctx.Done():
	}
}

// Close ends the server at once, and returns when nothing of it runs any more.
func (l *Server) Close() {
	if l.server == nil {
		return
	}
	l.cancel()
	l.server.Close()
	l.work.Wait()
}

func (l *Server) enter(s stage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stage = s
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *Server) current() (stage, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stage, l.changed
}

// serve is every request. The checks come first, and what fails them learns
// nothing.
func (l *Server) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", contentPolicy(""))
	if !l.ours(r.Host) {
		l.notice(w, http.StatusMisdirectedRequest, "This address is not for that name", "")
		return
	}
	switch path := r.URL.Path; {
	case path == l.page && r.Method == http.MethodPost:
		l.receive(w, r)
	case r.Method != http.MethodGet:
		h.Set("Allow", http.MethodGet)
		l.notice(w, http.StatusMethodNotAllowed, "Nothing to send here", "")
	case r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") != "":
		// A browser that looks ahead would use a link up before anybody sees it.
		w.WriteHeader(http.StatusServiceUnavailable)
	case path == l.page:
		l.show(w, r)
	case path == l.page+"/go":
		l.goOn(w)
	case path == l.callback:
		l.answered(w, r)
	default:
		l.follow(w, r)
	}
}

// ours guards against DNS rebinding: a name of somebody else's that resolves to
// this machine.
func (l *Server) ours(host string) bool {
	u := l.origin[len("http://"):]
	if host == u {
		return true
	}
	port := strconv.Itoa(l.port())
	return l.Host == "localhost" && (host == "127.0.0.1:"+port || host == "[::1]:"+port)
}

// follow is a link that is used for the first time, or an address that is
// nobody's.
func (l *Server) follow(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	used, known := l.links[r.URL.Path]
	if known {
		l.links[r.URL.Path] = true
	}
	l.mu.Unlock()
	switch {
	case !known:
		l.notice(w, http.StatusNotFound, "There is nothing here", "")
	case used:
		l.notice(w, http.StatusGone, "This link was used already",
			"It opens once. If that was not you, end the login in the terminal with Ctrl-C and start it again.")
	default:
		redirect(w, l.page)
	}
}

// show is the page in the stage that the login is in; while something is being
// done, it waits.
func (l *Server) show(w http.ResponseWriter, r *http.Request) {
	for {
		s, changed := l.current()
		switch {
		case s.form != nil:
			l.showForm(w, s.form)
			return
		case s.auth != nil:
			l.lead(w)
			return
		case s.end != nil:
			l.showEnd(w, s.end)
			return
		}
		l.mu.Lock()
		l.seen = true
		l.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// redirect has no body: an address with a state in it is for the browser's next
// request only.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// nonce is 128 bits that nobody can guess, as text.
func nonce() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
