package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
)

// agentReport is what the demo's agent tells about its life behind the proxy.
type agentReport struct {
	Variable    string   `json:"variable"`
	Variables   int      `json:"variables"`
	Environment []string `json:"environment"` // whole, so that the demo can search it
	Status      int      `json:"status"`
	Issuer      string   `json:"issuer"`
	OtherIssuer string   `json:"other_issuer"`
}

// newDemoAgentCmd is the demo's agent: an ordinary HTTPS client with an SDK's
// habits, in this binary so that the demo needs no other program.
func newDemoAgentCmd(app *app) *cobra.Command {
	var longer bool
	cmd := &cobra.Command{
		Use:     "agent",
		Short:   "The agent that the demo runs",
		Long:    "Agent is the program that `authsome demo` runs behind the proxy: it takes its key from the environment, asks two hosts, and reports what it saw.",
		Example: "  authsome demo",
		Hidden:  true,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if longer {
				return askLonger(cmd.Context(), app, os.Getenv(demoTokenVariable))
			}
			report := agentReport{Variable: os.Getenv(demoVariable), Environment: os.Environ()}
			report.Variables = len(report.Environment)
			var err error
			if report.Status, report.Issuer, err = ask(cmd.Context(), demoHost, report.Variable); err != nil {
				return err
			}
			if _, report.OtherIssuer, err = ask(cmd.Context(), demoOtherHost, report.Variable); err != nil {
				return err
			}
			app.printJSON(report)
			return nil
		},
	}
	cmd.Flags().BoolVar(&longer, "longer", false, "ask for longer than the token lives")
	return cmd
}

// ask sends one request with the key from the environment, as any client would,
// and tells who signed the certificate that answered.
func ask(ctx context.Context, host, key string) (status int, issuer string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/agent", nil)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", fmt.Errorf("ask %s: %w", host, err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, "", fmt.Errorf("answer of %s: %w", host, err)
	}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		issuer = response.TLS.PeerCertificates[0].Issuer.CommonName
	}
	return response.StatusCode, issuer, nil
}
