package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The cause of a network error is short, and does not repeat the address.
func TestCause(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, refused := net.Dial("tcp", address)
	_, requested := http.Get("http://" + address)
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, late := http.DefaultClient.Do(r)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{refused, "connection refused"},
		{requested, "connection refused"},
		{fmt.Errorf("dial: %w", refused), "connection refused"},
		{late, "timeout"},
		{&url.Error{Op: "Get", URL: selfURL, Err: errors.New("malformed HTTP response")}, "malformed HTTP response"},
		{errors.New("another error"), "another error"},
	} {
		if got := cause(tt.err); got != tt.want || strings.Contains(got, address) {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}

// One intercepted host that can be reached directly is enough for a warning, on any port,
// even if others do not exist.
func TestReachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const gone, closed = "nowhere.invalid:443", "127.0.0.1:1"
	for _, tt := range []struct {
		addresses []string
		want      string
	}{
		{nil, ""},
		{[]string{gone, closed}, ""},
		{[]string{gone, closed, l.Addr().String()}, l.Addr().String()},
	} {
		if got := reachable(t.Context(), tt.addresses); got != tt.want {
			t.Errorf("of %v, %q is reachable, want %q", tt.addresses, got, tt.want)
		}
	}
}
