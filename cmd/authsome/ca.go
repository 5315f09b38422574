package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/sidecar"
)

func newCACmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "ca", Short: "Show, export and replace the proxy's certificate authority",
		Long: `Each profile has an authority that authsome proxy signs with, made on first use:
clients have to trust its certificate. The key is in the vault, and no command
shows it. authsome run needs none of this: it makes an authority for each run.`,
		Example: `  authsome ca show
  authsome ca export > authsome.pem`,
		Args: noArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newCAPathCmd(a), newCAShowCmd(a), newCAExportCmd(a), newCARotateCmd(a))
	return cmd
}

// storedAuthority is that of the profile in use, created on first use.
func (a *app) storedAuthority(ctx context.Context) (*opener.Profile, *ca.Authority, error) {
	p, err := a.profile()
	if err != nil {
		return nil, nil, err
	}
	v, err := p.Vault()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	stored, err := sidecar.StoredAuthority(ctx, v, p.AuthorityPath(), authorityOptions(p))
	if errors.Is(err, ca.ErrExpired) {
		err = exit.WithCommand(err, "ca rotate")
	}
	return p, stored, err
}

// storedAuthorityLifetime is how long a stored authority is valid.
const storedAuthorityLifetime = 10 * 365 * 24 * time.Hour

// authorityOptions are those of a profile's stored authority.
func authorityOptions(p *opener.Profile) ca.Options {
	return ca.Options{CommonName: "authsome authority of profile " + p.Name, Lifetime: storedAuthorityLifetime}
}

// authorityView is the shape of --json.
type authorityView struct {
	Profile   string `json:"profile"`
	Path      string `json:"path"`
	Subject   string `json:"subject"`
	SHA256    string `json:"sha256"` // of the certificate
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
}

func viewAuthority(p *opener.Profile, stored *ca.Authority) authorityView {
	c := stored.Certificate()
	sum := sha256.Sum256(c.Raw)
	return authorityView{
		Profile: p.Name, Path: p.AuthorityPath(), Subject: c.Subject.CommonName, SHA256: hex.EncodeToString(sum[:]),
		NotBefore: c.NotBefore.UTC().Format(time.RFC3339), NotAfter: c.NotAfter.UTC().Format(time.RFC3339),
	}
}

func newCAPathCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "path", Short: "Name the file with the certificate",
		Long:    "Path prints the file with the authority's certificate, in PEM, for a client's settings.",
		Example: `  curl --cacert "$(authsome ca path)" https://api.openai.com/v1/models`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, _, err := a.storedAuthority(cmd.Context())
			if err != nil {
				return err
			}
			if a.JSON {
				return a.PrintJSON(struct {
					Path string `json:"path"`
				}{p.AuthorityPath()})
			}
			a.Printf("%s\n", p.AuthorityPath())
			return nil
		},
	}
}

func newCAShowCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show whose certificate it is, and its fingerprint",
		Long:    "Show tells what the authority's certificate says, and the SHA-256 to compare with what a client shows.",
		Example: "  authsome ca show",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, stored, err := a.storedAuthority(cmd.Context())
			if err != nil {
				return err
			}
			v := viewAuthority(p, stored)
			if a.JSON {
				return a.PrintJSON(v)
			}
			a.Facts([][]string{
				{"subject", v.Subject}, {"SHA-256", strings.ToUpper(v.SHA256)},
				{"valid", fmt.Sprintf("until %s (%s)", v.NotAfter, show.Relative(stored.Certificate().NotAfter, time.Now()))}, {"file", v.Path},
			})
			return nil
		},
	}
}

func newCAExportCmd(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "export", Short: "Write the certificate for a client",
		Long: `Export writes the authority's certificate, never its key: as pem, as der, or as p12,
a trust store with the usual password ` + ca.TrustStorePassword + `, as Java reads it.`,
		Example: `  authsome ca export > authsome.pem
  authsome ca export --format p12 > authsome.p12`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return exportAuthority(cmd.Context(), a, format) },
	}
	cmd.Flags().StringVar(&format, "format", "pem", "write as `FORMAT`: pem, der or p12")
	return cmd
}

func exportAuthority(ctx context.Context, a *app, format string) error {
	encode := map[string]func(*ca.Authority) ([]byte, error){
		"pem": func(s *ca.Authority) ([]byte, error) { return s.CertificatePEM(), nil },
		"der": func(s *ca.Authority) ([]byte, error) { return s.Certificate().Raw, nil },
		"p12": func(s *ca.Authority) ([]byte, error) { return ca.TrustStore(s.CertificatePEM()) },
	}[format]
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

func newCARotateCmd(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Make a new authority in place of the profile's",
		Long: `Rotate makes a new key and certificate. Clients that trust the one before refuse
the proxy from its next start on, until they have the new certificate. It asks,
unless --yes is given.`,
		Example: "  authsome ca rotate --yes",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return rotateAuthority(cmd.Context(), a, yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func rotateAuthority(ctx context.Context, a *app, yes bool) error {
	p, err := a.profile()
	if err != nil {
		return err
	}
	if !yes {
		question := fmt.Sprintf("Replace the authority of profile %s? Its clients will need the new certificate.", p.Name)
		if err := a.Confirm(ctx, question, "--yes"); err != nil {
			return err
		}
	}
	v, err := p.Vault()
	if err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	made, err := sidecar.NewStoredAuthority(ctx, v, p.AuthorityPath(), authorityOptions(p))
	if err != nil {
		return err
	}
	if err := p.Record(audit.Event{Event: audit.KeyRotation, Outcome: "ok: the authority"}); err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(viewAuthority(p, made))
	}
	a.Infof("replaced the authority of profile %s; restart authsome proxy and give its clients %s", p.Name, p.AuthorityPath())
	return nil
}
