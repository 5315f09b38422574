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
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/sidecar"
	"github.com/authsome/authsome/vault"
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
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCAPathCmd(a), newCAShowCmd(a), newCAExportCmd(a), newCARotateCmd(a))
	return cmd
}

// storedAuthority is the one of the profile in use.
func (a *app) storedAuthority(ctx context.Context) (home.Profile, *ca.Authority, error) {
	p, err := a.profile()
	if err != nil {
		return p, nil, err
	}
	v, err := a.vault()
	if err != nil {
		return p, nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	stored, err := openAuthority(ctx, v, p)
	return p, stored, err
}

func openAuthority(ctx context.Context, v *vault.Vault, p home.Profile) (*ca.Authority, error) {
	stored, err := sidecar.StoredAuthority(ctx, v, p.AuthorityPath(), authorityOptions(p))
	if errors.Is(err, ca.ErrExpired) {
		err = withHint(err, "authsome ca rotate")
	}
	return stored, err
}

// authorityOptions are those of a profile's stored authority.
func authorityOptions(p home.Profile) ca.Options {
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

func viewAuthority(p home.Profile, stored *ca.Authority) authorityView {
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
			if a.json {
				return a.printJSON(struct {
					Path string `json:"path"`
				}{p.AuthorityPath()})
			}
			a.printf("%s\n", p.AuthorityPath())
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
			if a.json {
				return a.printJSON(v)
			}
			facts(a.stdout, [][]string{
				{"subject", v.Subject}, {"SHA-256", strings.ToUpper(v.SHA256)},
				{"valid", fmt.Sprintf("until %s (%s)", v.NotAfter, relative(stored.Certificate().NotAfter, time.Now()))}, {"file", v.Path},
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
		return usageErrorf("--format %s: pem, der or p12", format)
	}
	if format != "pem" && !a.json && isTerminal(a.stdout) {
		return withHint(usageErrorf("%s is nothing for a terminal", format), "authsome ca export --format %s > authsome.%[1]s", format)
	}
	_, stored, err := a.storedAuthority(ctx)
	if err != nil {
		return err
	}
	data, err := encode(stored)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(struct {
			Format string `json:"format"`
			Data   []byte `json:"data"` // base64
		}{format, data})
	}
	_, err = a.stdout.Write(data)
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
		question := fmt.Sprintf("replace the authority of profile %s, so that its clients need the new certificate?", p.Name)
		if err := a.confirm(ctx, question, "--yes"); err != nil {
			return err
		}
	}
	v, err := a.vault()
	if err != nil {
		return err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	made, err := sidecar.NewStoredAuthority(ctx, v, p.AuthorityPath(), authorityOptions(p))
	if err != nil {
		return err
	}
	if err := a.record(audit.Event{Event: audit.KeyRotation, Outcome: "ok: the authority"}); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(viewAuthority(p, made))
	}
	a.infof("the authority of profile %s is new: restart authsome proxy, and give its clients %s", p.Name, p.AuthorityPath())
	return nil
}
