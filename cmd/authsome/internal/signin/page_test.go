package signin

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/loopback"
)

// A page that no browser opened ends the login only where nobody can be told. Requests
// for other addresses do not open it.
func TestPageThatNobodyOpens(t *testing.T) {
	var said bytes.Buffer
	page := &loopback.Server{}
	if err := page.Listen(); err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	l := &Login{console: &console.Console{Err: &said, Getenv: func(string) string { return "" }}, page: page, o: Options{Timeout: 10 * time.Minute}}
	link := page.Link()
	for _, stray := range []string{link + "x", strings.Replace(link, "127.0.0.1", "localhost", 1)} {
		if response, err := http.Get(stray); err == nil {
			response.Body.Close()
		}
	}
	if err := l.checkVisited(); !errors.Is(err, errNotVisited) || !strings.Contains(err.Error(), " within 30s, ") {
		t.Errorf("without a terminal: %v", err)
	}
	l.terminal = &terminal.Terminal{}
	if err := l.checkVisited(); err != nil || !strings.Contains(said.String(), "warning: no browser opened the page yet; ") {
		t.Errorf("with a terminal: %v, %q", err, said.String())
	}
	l.terminal = nil
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if err := l.checkVisited(); err != nil {
		t.Errorf("after a visit: %v", err)
	}
}

// A browser has time to start, also in a short login.
func TestVisitTime(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{
		4 * time.Second: 3 * time.Second, time.Minute: 30 * time.Second, 10 * time.Minute: 30 * time.Second, time.Hour: 3 * time.Minute,
	} {
		if got := (&Login{o: Options{Timeout: timeout}}).visitTime(); got != want {
			t.Errorf("%v: %v, want %v", timeout, got, want)
		}
	}
}
