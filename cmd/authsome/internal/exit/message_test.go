package exit

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// The texts of Go's own packages do not reach a user.
func TestMessage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	_, refused := net.Dial("tcp", closed)
	_, noFile := os.ReadFile("/nowhere/list")
	expired, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	server.Config.ErrorLog = nil
	_, untrusted := (&http.Client{Transport: &http.Transport{}}).Get(server.URL)
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("reach the service: %w", refused), "reach the service: connect to " + closed + ": connection refused"},
		{fmt.Errorf("read the vault: %w", expired.Err()), "read the vault: timed out"},
		{context.Canceled, "cancelled"},
		{fmt.Errorf("read the list: %w", noFile), "read the list: /nowhere/list: no such file or directory"},
		{Usagef("--file: %v", noFile), "--file: /nowhere/list: no such file or directory"},
		{x509.UnknownAuthorityError{}, "invalid certificate: certificate signed by unknown authority"},
	} {
		if got := Message(tt.err); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if got := Message(untrusted); strings.Contains(got, "x509") || !strings.Contains(got, "invalid certificate: ") {
		t.Errorf("%q", got)
	}
}
