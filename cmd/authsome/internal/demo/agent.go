package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// agentReport is what the agent had and received behind the proxy.
type agentReport struct {
	Variable    string   `json:"variable"`
	Variables   int      `json:"variables"`
	Environment []string `json:"environment"` // all of it, so that the demo can search it
	Status      int      `json:"status"`
	Issuer      string   `json:"issuer"`
	OtherIssuer string   `json:"other_issuer"`
}

// Agent is the demo's agent: an HTTPS client that reads its key from the environment
// as an SDK does. It writes its report to out. With longer set it sends requests until
// its token has expired.
func Agent(ctx context.Context, out io.Writer, longer bool) error {
	if longer {
		return outliveToken(ctx, out, os.Getenv(tokenVariable))
	}
	report := agentReport{Variable: os.Getenv(keyVariable), Environment: os.Environ()}
	report.Variables = len(report.Environment)
	var err error
	if report.Status, report.Issuer, err = request(ctx, apiHost, report.Variable); err != nil {
		return err
	}
	if _, report.OtherIssuer, err = request(ctx, otherHost, report.Variable); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(report)
}

// tokenReport is agentReport for an agent that works longer than its token lives.
type tokenReport struct {
	Variable string `json:"variable"`
	Statuses []int  `json:"statuses"`
}

// outliveToken sends a request, waits until the token has expired, and then sends several
// requests at the same time.
func outliveToken(ctx context.Context, out io.Writer, key string) error {
	const parallel = 4
	statuses := make([]int, 1+parallel)
	errs := make([]error, len(statuses))
	statuses[0], _, errs[0] = request(ctx, tokenHost, key)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(tokenLife):
	}
	var all sync.WaitGroup
	for i := range parallel {
		all.Go(func() { statuses[1+i], _, errs[1+i] = request(ctx, tokenHost, key) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(tokenReport{key, statuses})
}

// request sends one request with the key. It returns the status, and who issued the
// server's certificate.
func request(ctx context.Context, host, key string) (status int, issuer string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/agent", nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", fmt.Errorf("request to %s: %w", host, err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, "", fmt.Errorf("read the response of %s: %w", host, err)
	}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		issuer = response.TLS.PeerCertificates[0].Issuer.CommonName
	}
	return response.StatusCode, issuer, nil
}

// Browse opens an address and follows redirects, as a browser does during a sign-in.
func Browse(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("sign-in address: %w", err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
