package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A server that takes its time is named, while it does.
func TestSlowServerIsNamed(t *testing.T) {
	told := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-told:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	a := newApp()
	out, in := io.Pipe()
	a.stderr = in
	var said string
	go func() {
		buffer := make([]byte, 1<<10)
		n, _ := out.Read(buffer)
		said = string(buffer[:n])
		close(told)
	}()
	r, err := http.NewRequestWithContext(a.watched(t.Context()), http.MethodGet, server.URL, nil)
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

// Nothing is written over a child's screen.
func TestWaitingIsSilentDuringARun(t *testing.T) {
	t.Setenv("AUTHSOME_HOME", t.TempDir())
	var out bytes.Buffer
	a := newApp()
	a.stderr = &out
	a.childHasTerminal.Store(true)
	a.waitingf("%s", "the vault")
	if out.Len() > 0 {
		t.Errorf("wrote %q", out.String())
	}
	a.childHasTerminal.Store(false)
	a.waitingf("%s", "the vault")
	if !strings.Contains(out.String(), "waiting for the vault") {
		t.Errorf("wrote %q", out.String())
	}
}
