package flows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// ErrRefused says that the service knows the credential for a bad one.
var ErrRefused = errors.New("the service refused it")

// ErrUnverified says that the service could not be asked, or gave an answer that
// says nothing about the credential.
var ErrUnverified = errors.New("the service could not be asked")

// verifyWait bounds the request: a person waits for it.
const verifyWait = 10 * time.Second

// Verify makes the request by which the definition tells a good credential from
// a bad one, and returns what it says about the account. Without such a request
// there is nothing to find out. Errors are [ErrRefused] and [ErrUnverified]. If
// client is nil, it is one of our own; no redirect is followed.
func Verify(ctx context.Context, client *http.Client, d *providers.Definition, c providers.Credential) (Account, error) {
	if d.Verify == nil {
		return Account{}, nil
	}
	r, err := verification(ctx, d, c)
	if err != nil {
		return Account{}, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	if client == nil {
		client = (&Config{Definition: d}).client(false)
	} else {
		client = (&Config{Definition: d, HTTP: client}).client(false)
	}
	client.Timeout = verifyWait
	response, err := client.Do(r)
	if err != nil {
		// The address may hold the credential, so the error's own text is not used.
		return Account{}, fmt.Errorf("%w: %s cannot be reached", ErrUnverified, r.URL.Host)
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Account{}, fmt.Errorf("%w (status %d)", ErrRefused, status)
	case status < 200 || status > 299:
		return Account{}, fmt.Errorf("%w: it answered with status %d", ErrUnverified, status)
	}
	var document any
	if d.Verify.ID == "" && d.Verify.Label == "" || json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&document) != nil {
		return Account{}, nil
	}
	return Account{member(document, d.Verify.ID), member(document, d.Verify.Label)}, nil
}

// verification is the request, with the credential on it as the proxy would put
// it.
func verification(ctx context.Context, d *providers.Definition, c providers.Credential) (*http.Request, error) {
	c.Values = maps.Clone(c.Values)
	if c.Values == nil {
		c.Values = make(map[string]secret.String)
	}
	if _, set := c.Values["base_url"]; !set && d.BaseURL != "" {
		c.Values["base_url"] = secret.New(d.BaseURL)
	}
	if err := d.Derive(c.Values); err != nil {
		return nil, err
	}
	address, err := d.Expand("verify.url", d.Verify.URL, c.Values)
	if err != nil {
		return nil, err
	}
	method := d.Verify.Method
	if method == "" {
		method = http.MethodGet
	}
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(d.Verify.Body))
	if err != nil {
		return nil, errors.New("verify.url cannot be used")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", clientName)
	if d.Verify.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	i, err := d.Injection(c)
	if err != nil {
		return nil, err
	}
	return r, i.Apply(r)
}

// member is a text for people out of somebody else's document.
func member(document any, path string) string {
	if path == "" {
		return ""
	}
	text, _ := providers.Member(document, path)
	return printable(text, maxDescription)
}
