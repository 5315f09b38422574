package intercept

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// memory is a connection whose client sends fixed bytes and then closes it.
type memory struct {
	io.Reader
	local net.Addr
}

func (m memory) Write(b []byte) (int, error)      { return len(b), nil }
func (m memory) Close() error                     { return nil }
func (m memory) CloseWrite() error                { return nil }
func (m memory) LocalAddr() net.Addr              { return m.local }
func (m memory) RemoteAddr() net.Addr             { return m.local }
func (m memory) SetDeadline(time.Time) error      { return nil }
func (m memory) SetReadDeadline(time.Time) error  { return nil }
func (m memory) SetWriteDeadline(time.Time) error { return nil }

// All that was read is returned, also what the client sent after its ClientHello.
func TestReadHelloKeepsEveryByte(t *testing.T) {
	sent := append(clientHello(t, routedHost), "more"...)
	for early := range 20 {
		raw, name, err := readHello(memory{Reader: bytes.NewReader(sent[early:])}, sent[:early])
		if name != routedHost || err != nil || !bytes.HasPrefix(sent, raw) || len(raw) < len(sent)-len("more") {
			t.Fatalf("%d early bytes: %q, %v, %d of %d bytes", early, name, err, len(raw), len(sent))
		}
	}
}

// faults keeps what must not happen. As the writer of a log, it looks for panics.
type faults struct{ atomic.Value }

func (f *faults) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("panic")) {
		f.Store(string(line))
	}
	return len(line), nil
}

// FuzzCaptured checks that no bytes make the proxy panic, or dial the address that a client
// connected to.
func FuzzCaptured(f *testing.F) {
	f.Add(clientHello(f, routedHost))
	f.Add(clientHello(f, otherHost))
	f.Add(clientHello(f, ""))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: " + otherHost + "\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte("CONNECT a.test:443 HTTP/1.1\r\n\r\n"))
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"))
	var fault faults
	c := newCapture(f, func(r *rig) {
		r.ConnectTo = nil
		r.Log = slog.New(slog.NewTextHandler(&fault, nil))
		r.UpstreamProxy = func(u *url.URL) (*url.URL, error) {
			if strings.Contains(u.Host, "5c1f") {
				fault.Store("about to dial " + u.Host)
			}
			return nil, errors.New("not dialled in this test")
		}
	})
	for !c.started.Load() { // no connection is accepted that would show it
		runtime.Gosched()
	}
	address := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[2001:db8:5c1f::9]:443"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if bytes.Contains(bytes.ToLower(sent), []byte("5c1f")) {
			return // named by the client, and so the target
		}
		conn := &trackedConn{Conn: memory{bytes.NewReader(sent), address}, captured: true}
		c.admitPrivate(conn)
		c.tracker.running.Wait()
		if fault := fault.Load(); fault != nil {
			t.Error(fault)
		}
	})
}
