package console

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// A slow server is named while the command waits for it.
func TestSlowServerIsNamed(t *testing.T) {
	reported := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-reported:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	out, in := io.Pipe()
	c := &Console{Err: in}
	var said string
	go func() {
		buffer := make([]byte, 1<<10)
		n, _ := out.Read(buffer)
		said = string(buffer[:n])
		close(reported)
	}()
	r, err := http.NewRequestWithContext(c.Watch(t.Context()), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if said != "authsome: waiting for 127.0.0.1\n" {
		t.Errorf("said %q", said)
	}
}

// A child's screen does not get progress messages.
func TestWaitingIsRedirected(t *testing.T) {
	var out bytes.Buffer
	var redirected []string
	c := &Console{Err: &out}
	restore := c.Redirect(func(text string) { redirected = append(redirected, text) })
	c.Waitingf("%s", "the vault")
	if out.Len() > 0 || !slices.Equal(redirected, []string{"waiting for the vault"}) {
		t.Errorf("wrote %q, redirected %q", out.String(), redirected)
	}
	restore()
	c.Waitingf("%s", "the vault")
	if out.String() != "authsome: waiting for the vault\n" {
		t.Errorf("wrote %q", out.String())
	}
}
