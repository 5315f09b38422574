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
	"github.com/authsome/authsome/internal/sidecar"
)

func newCACmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "ca", Short: "Show, export and replace the proxy's certificate authority",
		Long: `Authsome proxy signs certificates with the profile's certificate authority,
which is created on first use. Clients must trust the authority's certificate.
Its private key is in the vault, and no command shows it. Authsome run does not
need it: each run has a separate authority.`,
		Example: `  authsome ca show
  authsome ca export > authsome.pem`,
		Args: noArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newCAPathCmd(a), newCAShowCmd(a), newCAExportCmd(a), newCARotateCmd(a))
	return cmd
}

// storedAuthority returns the authority of the profile in use, and creates it on first
// use.
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

// authorityOptions returns the options of a profile's stored authority.
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
		Use: "path", Short: "Print the path of the certificate",
		Long:    "Path prints the path of the authority's certificate in PEM, for the settings of\nclients.",
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
		Use: "show", Short: "Show the certificate's subject, expiry and fingerprint",
		Long:    "Show prints what the certificate contains, and its SHA-256 to compare with the\none that a client shows.",
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
