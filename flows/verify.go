package flows

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/bom"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// ErrRefused says that the service refused the credential.
var ErrRefused = errors.New("the service refused the credential")

// ErrUnverified says that the service could not be reached, or that its answer does not say
// whether the credential is valid.
var ErrUnverified = errors.New("the credential could not be checked")

// verifyWait bounds the request. It is short because a person waits for the result.
const verifyWait = 10 * time.Second

// Verify makes the request with which the definition checks a credential, and returns the
// account in the answer. If the definition has no such request, Verify does nothing. The
// errors are [ErrRefused] and [ErrUnverified]. If client is nil, Verify uses its own. It
// follows no redirects.
func Verify(ctx context.Context, client *http.Client, d *providers.Definition, c providers.Credential) (Account, error) {
	if d.Verify == nil {
		return Account{}, nil
	}
	r, err := verification(ctx, d, c)
	if err != nil {
		return Account{}, fmt.Errorf("%w: %w", ErrUnverified, err)
	}
	client = (&Config{Definition: d, HTTP: client}).client()
	client.Timeout = verifyWait
	response, err := client.Do(r)
	if err != nil {
		// The error contains the URL, which may contain the credential.
		return Account{}, fmt.Errorf("%w: %s %s", ErrUnverified, r.URL.Host, noAnswer(ctx, err))
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Account{}, fmt.Errorf("%w (status %d)", ErrRefused, status)
	case status < 200 || status > 299:
		return Account{}, fmt.Errorf("%w: the service answered with status %d", ErrUnverified, status)
	}
	if d.Verify.ID == "" && d.Verify.Label == "" {
		return Account{}, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	var document any
	if err != nil || json.NewDecoder(bytes.NewReader(bom.Decode(body))).Decode(&document) != nil {
		return Account{}, nil
	}
	return Account{member(document, d.Verify.ID), member(document, d.Verify.Label)}, nil
}

// noAnswer says why a service gave no answer.
func noAnswer(ctx context.Context, err error) string {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case !ok || !timeout.Timeout():
		return "cannot be reached"
	case ctx.Err() != nil:
		return "did not answer in time" // the caller has spent some of it on a refresh
	}
	return fmt.Sprintf("did not answer in %d seconds", int(verifyWait.Seconds()))
}

// verification returns the request, with the credential as the proxy would put it on.
func verification(ctx context.Context, d *providers.Definition, c providers.Credential) (*http.Request, error) {
	values := make(providers.Values)
	maps.Copy(values, c.Values)
	c.Values = values
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
	r, err := http.NewRequestWithContext(ctx, cmp.Or(d.Verify.Method, http.MethodGet), address, strings.NewReader(d.Verify.Body))
	if err != nil {
		return nil, errors.New("verify.url is invalid")
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", softwareName)
	if d.Verify.Body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	i, err := d.Injection(c)
	if err != nil {
		return nil, err
	}
	return r, i.Apply(r)
}

// member returns a member of the service's document as text that is safe to show.
func member(document any, path string) string {
	if path == "" {
		return ""
	}
	text, _ := providers.Member(document, path)
	return printable(text, maxDescription)
}
