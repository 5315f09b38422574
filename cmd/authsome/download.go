package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

const (
	// maxDocument bounds what is read from a file, a pipe or a server.
	maxDocument = 16 << 20
	fetchTime   = 30 * time.Second
)

// readDefinition reads a file, standard input or an https URL.
func (a *app) readDefinition(ctx context.Context, path string) ([]byte, error) {
	in := a.In
	switch {
	case path == "-":
	case strings.Contains(path, "://"):
		body, err := download(ctx, path)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		in = body
	default:
		f, err := os.Open(path)
		if err != nil {
			return nil, exit.Usagef("%v", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > maxDocument {
		return nil, fmt.Errorf("read %s: larger than %d MiB", path, maxDocument>>20)
	}
	return data, nil
}

// download gets an https URL. The document decides where credentials go, so every
// redirect must stay on https.
func download(ctx context.Context, address string) (io.ReadCloser, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, exit.Usagef("%s: not an https URL", address)
	}
	client := &http.Client{Timeout: fetchTime, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) > 5 {
			return errors.New("the server redirects to http, or too often")
		}
		return nil
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", address, err)
	}
	response, err := client.Do(r)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the address again
	}
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", address, err)
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("fetch %s: the server answered %s", address, response.Status)
	}
	return response.Body, nil
}
