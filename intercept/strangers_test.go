package intercept

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authsome/authsome/secret"
)

// anonymous is a listener whose clients the kernel cannot identify while hide is set,
// as clients on another machine.
type anonymous struct {
	net.Listener
	hide atomic.Bool
}

type anonymousConn struct{ net.Conn }

func (l *anonymous) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil && l.hide.Load() {
		c = anonymousConn{c}
	}
	return c, err
}

// newTokenRig starts a proxy with a token, which no client is exempt from unless hide
// is cleared.
func newTokenRig(t *testing.T, change func(*Proxy)) (*rig, *anonymous) {
	t.Helper()
	r := sibling(newRig(t, nil), &Proxy{Token: secret.New("the token")})
	change(r.Proxy)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &anonymous{Listener: listener}
	l.hide.Store(true)
	r.serve(l)
	return r, l
}

const withToken = "CONNECT " + otherHost + ":443 HTTP/1.1\r\nProxy-Authorization: Bearer the token\r\n\r\n"

// wantClosed checks that the proxy closes c, whatever it answers first.
func wantClosed(t *testing.T, c net.Conn) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Error("the connection is still open")
	}
	return string(b)
}

func wantTunnel(t *testing.T, c net.Conn) {
	t.Helper()
	io.WriteString(c, withToken)
	if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("the right token was answered %q", head)
	}
}

// A stranger must show the token in time, however it spends that time. A client that
// showed it in time, and an own one, may wait.
func TestStrangersHaveLittleTime(t *testing.T) {
	const wrong = "Proxy-Authorization: Basic eDp3cm9uZw==\r\n"
	for name, sent := range map[string]string{
		"silent": "", "half a head": "CONNECT " + otherHost, "wrong token": "CONNECT " + otherHost + ":443 HTTP/1.1\r\n" + wrong + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r, l := newTokenRig(t, func(p *Proxy) { p.identifyWithin = 300 * time.Millisecond })
			identified := r.raw()
			wantTunnel(t, identified)
			l.hide.Store(false)
			own := r.raw()
			for r.Stats().Connections != 2 {
				runtime.Gosched()
			}
			l.hide.Store(true)
			stranger := r.raw()
			io.WriteString(stranger, sent)
			if answer := wantClosed(t, stranger); (answer != "") != (name == "wrong token") {
				t.Errorf("answer %q", answer)
			}
			for x := r.next(); x.Code != ""; x = r.next() { // the answer to the wrong token
				if !x.Stranger {
					t.Errorf("recorded %+v", x)
				}
			}
			if n := r.Stats().Connections; n != 2 {
				t.Errorf("%d connections are left, want 2", n)
			}
			io.WriteString(own, "CONNECT "+otherHost+":443 HTTP/1.1\r\n\r\n")
			if head := readRawHead(t, own); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
				t.Errorf("the owner was answered %q", head)
			}
		})
	}
}

// Strangers push out the oldest of themselves, and nobody who showed the token.
func TestTooManyStrangersDropTheOldest(t *testing.T) {
	const limit = 4
	r, l := newTokenRig(t, func(p *Proxy) { p.tracker.strangers.limit = limit })
	identified := make([]net.Conn, 2*limit)
	for i := range identified {
		identified[i] = r.raw()
		wantTunnel(t, identified[i])
	}
	l.hide.Store(false)
	own := r.raw()
	for r.Stats().Connections != len(identified)+1 {
		runtime.Gosched()
	}
	l.hide.Store(true)
	strangers := make([]net.Conn, 3*limit)
	for i := range strangers {
		strangers[i] = r.raw()
	}
	for _, c := range strangers[:2*limit] {
		wantClosed(t, c)
		if x := r.next(); !x.Stranger || x.Code != "" {
			t.Errorf("recorded %+v", x)
		}
	}
	wantTunnel(t, r.raw()) // among silent strangers, a client with the token is served
	if n, want := r.Stats().Connections, len(identified)+1+limit; n != want {
		t.Errorf("%d connections are open, want %d", n, want)
	}
	io.WriteString(own, "CONNECT "+otherHost+":443 HTTP/1.1\r\n\r\n")
	if head := readRawHead(t, own); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("the owner was answered %q", head)
	}
}

// addressed is a connection from an address.
type addressed struct {
	net.Conn
	from string
}

func (c addressed) RemoteAddr() net.Addr {
	a, err := net.ResolveTCPAddr("tcp", c.from)
	if err != nil {
		panic(err)
	}
	return a
}

// An address that opens many connections drops its own, and not those of others. All
// of loopback and an IPv6 network count as one address.
func TestStrangersOfOneAddressDropTheirOwn(t *testing.T) {
	s := strangers{limit: 3}
	add := func(from string) (dropped string) {
		if c := s.add(&trackedConn{Conn: addressed{from: from}}); c != nil {
			return c.Conn.(addressed).from
		}
		return ""
	}
	for _, tt := range []struct{ from, dropped string }{
		{"192.0.2.1:1", ""}, {"198.51.100.1:1", ""}, {"198.51.100.1:2", ""},
		{"198.51.100.1:3", "198.51.100.1:1"}, {"198.51.100.1:4", "198.51.100.1:2"},
		{"198.51.100.1:5", "198.51.100.1:3"},
	} {
		if dropped := add(tt.from); dropped != tt.dropped {
			t.Errorf("%s dropped %q, want %q", tt.from, dropped, tt.dropped)
		}
	}
	if len(s.byAddr) != 2 || s.count != 3 {
		t.Errorf("%d connections of %d addresses", s.count, len(s.byAddr))
	}
	for _, same := range [][2]string{{"127.0.0.1:1", "127.9.9.9:2"}, {"[::1]:1", "127.0.0.1:1"}, {"[2001:db8::1]:1", "[2001:db8::ffff:1]:2"}} {
		if a, b := sourceOf(addressed{from: same[0]}), sourceOf(addressed{from: same[1]}); a != b {
			t.Errorf("%s and %s: %s, %s", same[0], same[1], a, b)
		}
	}
}

func TestStrangerLimit(t *testing.T) {
	for n, want := range map[int]int{0: 8, 20: 8, 256: 64, 1024: 256, 1 << 20: maxStrangers} {
		if got := strangerLimit(n); got != want {
			t.Errorf("%d descriptors: %d, want %d", n, got, want)
		}
	}
}

// What a stranger sends is in no record, whatever it is.
func TestStrangersLeaveNoTextOfTheirs(t *testing.T) {
	wrong := "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:wrong")) + "\r\n"
	for _, tt := range []struct {
		sent   string
		status int
	}{
		{"GET http://private.test/THEIRS HTTP/1.1\r\nHost: private.test\r\n\r\n", http.StatusProxyAuthRequired},
		{"THEIRS http://private.test/ HTTP/1.1\r\nHost: private.test\r\n" + wrong + "\r\n", http.StatusProxyAuthRequired},
		{"CONNECT theirs.test:443 HTTP/1.1\r\n" + wrong + "\r\n", http.StatusProxyAuthRequired},
		{"CONNECT THEIRS HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		{"THEIRS\r\n\r\n", http.StatusBadRequest},
	} {
		r, _ := newTokenRig(t, func(*Proxy) {})
		c := r.raw()
		response, _ := exchange(t, c, tt.sent)
		x := r.next()
		if response.StatusCode != tt.status || x.Status != tt.status || !x.Stranger {
			t.Errorf("%q: answer %d, recorded %+v", tt.sent, response.StatusCode, x)
		}
		if text := strings.ToLower(fmt.Sprintf("%+v", x)); strings.Contains(text, "theirs") || strings.Contains(text, "private") {
			t.Errorf("%q: recorded %s", tt.sent, text)
		}
		// Only a CONNECT may be tried again on the same connection.
		if keeps := strings.HasPrefix(tt.sent, "CONNECT") && tt.status == http.StatusProxyAuthRequired; !keeps {
			wantClosed(t, c)
		}
	}
}

// Nobody asks the kernel or for a token where only processes that may use the proxy can
// reach it, and what they send there is confidential.
func TestPrivateProxy(t *testing.T) {
	for _, token := range []bool{false, true} {
		r, _ := newTokenRig(t, func(p *Proxy) {
			p.Private, p.RequireToken, p.identifyWithin = true, token, time.Nanosecond
			if !token {
				p.Token = secret.String{}
			}
		})
		for name, client := range map[string]*http.Client{"tunnel": r.client(), "absolute": r.absolute()} {
			if _, body := get(t, client, "https://"+routedHost+"/x"); !strings.HasSuffix(body, "auth=Bearer "+realKey) {
				t.Errorf("token %v, %s: got %q", token, name, body)
			}
			if x := r.next(); x.Stranger || !x.Injected {
				t.Errorf("token %v, %s: recorded %+v", token, name, x)
			}
		}
	}
}
