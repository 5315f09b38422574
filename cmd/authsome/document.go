package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/internal/bom"
	"github.com/authsome/authsome/internal/proxyenv"
	"github.com/authsome/authsome/internal/regular"
)

const (
	// maxDocument is the size limit of a document, in bytes.
	maxDocument = 16 << 20
	fetchTime   = 30 * time.Second
)

// readDocument reads a file, standard input or an https URL.
func (a *app) readDocument(ctx context.Context, path string) ([]byte, error) {
	in, err := a.openDocument(ctx, path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", documentName(path), err)
	}
	if len(data) > maxDocument {
		return nil, exit.Usagef("%s is larger than %d MiB", documentName(path), maxDocument>>20)
	}
	return bom.Decode(data), nil
}

func (a *app) openDocument(ctx context.Context, path string) (io.ReadCloser, error) {
	switch {
	case path == "-":
		return io.NopCloser(a.In), nil
	case isURL(path):
		return download(ctx, path)
	}
	f, err := regular.OpenNamed(path)
	if err != nil {
		return nil, exit.Usagef("%v", err)
	}
	return f, nil
}

// isURL reports whether a document is fetched rather than read from a file.
func isURL(path string) bool { return strings.Contains(path, "://") }

// documentName is what messages call a document.
func documentName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// download fetches an https URL, and follows redirects only to https: the document
// decides where credentials are sent.
func download(ctx context.Context, address string) (io.ReadCloser, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, exit.Usagef("%s: not an https URL", address)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = proxyenv.ForRequest
	client := &http.Client{Transport: transport, Timeout: fetchTime, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) > 5 {
			return errors.New("the server redirects too often, or not to https")
		}
		return nil
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", address, err)
	}
	response, err := client.Do(r)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // the message below has the address
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
