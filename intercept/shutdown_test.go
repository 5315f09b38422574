package intercept

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"testing"
	"time"
)

// inFlight sends a request with a client and returns when it has reached the service. The
// service answers "whole" after finish; answer receives what the client gets.
func (r *rig) inFlight(client *http.Client) (finish func(), answer <-chan string) {
	started, finished := make(chan struct{}), make(chan struct{})
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-finished
		io.WriteString(w, "whole")
	})
	got := make(chan string, 1)
	go func() {
		response, err := client.Get("https://" + routedHost + "/")
		if err != nil {
			got <- err.Error()
			return
		}
		defer response.Body.Close()
		b, _ := io.ReadAll(response.Body)
		got <- string(b)
	}()
	<-started
	return func() { close(finished) }, got
}

func TestShutdownDrains(t *testing.T) {
	r := newRig(t, nil)
	finish, answer := r.inFlight(r.http1())
	tunnel := r.connect(otherHost + ":443")
	for r.Stats().Tunnels == 0 { // the relay starts after the 200 was sent
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(context.Background())
	drained := make(chan error, 1)
	go func() { drained <- r.Shutdown(ctx) }()
	for {
		if c, err := net.Dial("tcp", r.addr); err != nil {
			break
		} else {
			c.Close()
		}
	}
	finish()
	if got := <-answer; got != "whole" {
		t.Errorf("the request in flight got %q", got)
	}
	cancel() // as a deadline would: the tunnel is cut off
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with an open tunnel returned %v", err)
	}
	if _, err := tunnel.Read(make([]byte, 1)); err == nil {
		t.Error("the tunnel is still open")
	}
	if s := r.Stats(); s != (Stats{}) {
		t.Errorf("still open: %+v", s)
	}
}

// Serve returns at once if Shutdown was called before, for example because the admin
// port is in use.
func TestShutdownBeforeServe(t *testing.T) {
	r := newRig(t, nil)
	p := &Proxy{Routes: r.Routes, Authority: r.authority, Credentials: r.Credentials}
	if err := p.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(limit):
		t.Error("Serve did not return")
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("the proxy still listens")
	}
}

// Shutdown and Serve return only after everything that was cut off is recorded.
func TestNothingIsRecordedAfterShutdown(t *testing.T) {
	for _, tt := range []struct {
		name string
		send func(*rig)
	}{
		{"stranger", func(r *rig) { r.raw() }}, // without a token that it could show
		{"first head", func(r *rig) { io.WriteString(r.raw(), "not a request\r\n\r\n") }},
		{"refused CONNECT", func(r *rig) { fmt.Fprintf(r.raw(), "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n") }},
		{"plain request", func(r *rig) { io.WriteString(r.raw(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n") }},
		{"intercepted request", func(r *rig) { io.WriteString(r.inside(), "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n") }},
		{"intercepted request, HTTP/2", func(r *rig) { go r.client().Get("https://" + routedHost + "/") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			recording, finish := make(chan struct{}), make(chan struct{})
			r := newRig(t, func(r *rig) {
				r.RequireToken = tt.name == "stranger"
				r.Record = func(Exchange) {
					close(recording)
					<-finish
				}
			})
			tt.send(r)
			<-recording
			ended, cancel := context.WithCancel(context.Background())
			cancel()
			returned := make(chan struct{})
			go func() {
				r.Shutdown(ended)
				close(returned)
			}()
			select {
			case <-returned:
				t.Error("Shutdown returned while an exchange was being recorded")
			case <-r.served:
				t.Error("Serve returned while an exchange was being recorded")
			case <-time.After(100 * time.Millisecond):
			}
			close(finish)
			select {
			case <-returned:
			case <-time.After(limit):
				t.Error("Shutdown did not return")
			}
		})
	}
}

// Shutdown does not wait for a dial that its client no longer needs.
func TestShutdownEndsADial(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never answers a CONNECT
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dialling := make(chan struct{})
	r := newRig(t, func(r *rig) {
		r.ConnectTo = nil
		r.UpstreamProxy = func(*url.URL) (*url.URL, error) {
			close(dialling)
			return &url.URL{Scheme: "http", Host: silent.Addr().String()}, nil
		}
	})
	fmt.Fprintf(r.raw(), "CONNECT %s:443 HTTP/1.1\r\n\r\n", otherHost)
	<-dialling
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	start := time.Now()
	r.Shutdown(ended)
	if took := time.Since(start); took > limit {
		t.Errorf("Shutdown took %v", took)
	}
	if x := r.next(); x.Code != CodeUpstreamUnreachable {
		t.Errorf("recorded %+v", x)
	}
}
