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
)

const (
	// maxDocument bounds what is read from a file, a pipe or a server.
	maxDocument = 16 << 20
	fetchTime   = 30 * time.Second
)

// readDefinition reads a file, standard input or an https URL.
func (a *app) readDefinition(ctx context.Context, path string) ([]byte, error) {
	in := a.stdin
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
			return nil, usageErrorf("%v", err)
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

// download gets an https URL. What it says decides where credentials go, so no step
// of the way there is in clear.
func download(ctx context.Context, address string) (io.ReadCloser, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, usageErrorf("%s: only https URLs are fetched", address)
	}
	client := &http.Client{Timeout: fetchTime, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) > 5 {
			return errors.New("redirected away from https, or too often")
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
		return nil, fmt.Errorf("fetch %s: the server answers %s", address, response.Status)
	}
	return response.Body, nil
}
