package loopback

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net"
)

// Redirect is the parts of a redirect URI. Zero values mean 127.0.0.1, any free port,
// and a random path. For localhost the server also listens on ::1, because the browser
// chooses between the two addresses.
type Redirect struct {
	Host string
	Port int
	Path string
}

// redirect is where the server receives the redirect.
type redirect struct {
	host, path string         // host has the port
	listeners  []net.Listener // in addition to those of the page
}

// ListenForRedirect makes the server receive the authorization server's redirect. A
// later call replaces the address. If the port is taken, the error is a [*PortError].
func (s *Server) ListenForRedirect(r Redirect) error {
	host := cmp.Or(r.Host, "127.0.0.1")
	if host != "127.0.0.1" && host != "localhost" {
		return fmt.Errorf("listen for the redirect: %q is not a loopback host", host)
	}
	s.setRedirect(redirect{})
	at := redirect{host: net.JoinHostPort(host, fmt.Sprint(r.Port)), path: r.Path}
	if host == "127.0.0.1" && r.Port == 0 {
		at.host = s.pageHost
	}
	if at.path == "" {
		at.path = "/callback/" + rand.Text()
	}
	if at.host != s.pageHost {
		listeners, err := listen(r.Port, host == "localhost")
		if err != nil {
			return err
		}
		at.listeners, at.host = listeners, net.JoinHostPort(host, portOf(listeners[0]))
		s.serve(listeners)
	}
	s.setRedirect(at)
	return nil
}

// setRedirect replaces the redirect's address, and stops listening on the former one.
func (s *Server) setRedirect(at redirect) {
	s.mu.Lock()
	former := s.redirect
	s.redirect = at
	s.mu.Unlock()
	for _, l := range former.listeners {
		l.Close()
	}
}

func (s *Server) currentRedirect() redirect {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.redirect
}

// RedirectURI returns the URL that the authorization server must redirect to.
func (s *Server) RedirectURI() string {
	at := s.currentRedirect()
	return "http://" + at.host + at.path
}

// isOwnHost checks a Host header. It prevents DNS rebinding, where an attacker's
// name resolves to this machine.
func (s *Server) isOwnHost(host string) bool {
	at := s.currentRedirect().host
	if host == s.pageHost || host == at {
		return true
	}
	name, port, err := net.SplitHostPort(at)
	return err == nil && name == "localhost" && (host == "127.0.0.1:"+port || host == "[::1]:"+port)
}
