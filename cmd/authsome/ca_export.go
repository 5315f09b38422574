package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
)

func newCAExportCmd(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export", Short: "Print the certificate for a client",
		Long: `Export prints the authority's certificate, never its private key: as pem, as
der, or as p12, a trust store for Java with the usual password ` + ca.TrustStorePassword + `.`,
		Example: `  authsome ca export > authsome.pem
  authsome ca export --format p12 > authsome.p12`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return exportAuthority(cmd.Context(), a, format) },
	}
	cmd.Flags().StringVar(&format, "format", "pem", "print as `FORMAT`: pem, der or p12")
	return cmd
}

// caFormats encode a certificate.
var caFormats = map[string]func(*ca.Authority) ([]byte, error){
	"pem": func(s *ca.Authority) ([]byte, error) { return s.CertificatePEM(), nil },
	"der": func(s *ca.Authority) ([]byte, error) { return s.Certificate().Raw, nil },
	"p12": func(s *ca.Authority) ([]byte, error) { return ca.TrustStore(s.CertificatePEM()) },
}

func exportAuthority(ctx context.Context, a *app, format string) error {
	encode := caFormats[format]
	if encode == nil {
		return exit.Usagef("--format %s: use pem, der or p12", format)
	}
	if format != "pem" && !a.JSON && terminal.IsTerminal(a.Out) {
		return exit.WithCommand(exit.Usagef("%s is binary and would garble the terminal", format), "ca export --format %s > authsome.%[1]s", format)
	}
	_, stored, err := a.storedAuthority(ctx)
	if err != nil {
		return err
	}
	data, err := encode(stored)
	if err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(struct {
			Format string `json:"format"`
			Data   []byte `json:"data"` // base64
		}{format, data})
	}
	_, err = a.Out.Write(data)
	return err
}
