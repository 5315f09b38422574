package doctor

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
)

// learn tells the redactor the secrets and the names of this home and this machine.
func (d *Doctor) learn(ctx context.Context, r *redactor) {
	var secrets []string
	if dir := d.Console.Getenv("AUTHSOME_HOME"); dir != "" { // if the home cannot be opened
		if dir, err := filepath.Abs(dir); err == nil {
			r.rename(dir, "<home>")
		}
	}
	if h, err := d.Opener.Home(); err == nil {
		r.rename(h.Dir, "<home>")
		if resolved, err := filepath.EvalSymlinks(h.Dir); err == nil {
			r.rename(resolved, "<home>")
		}
		names, _ := h.Profiles() // if it fails, the report has no profiles either
		for _, name := range names {
			if name != auth.DefaultName {
				r.renameAs("profile", name)
			}
			secrets = append(secrets, d.learnProfile(ctx, r, name)...)
		}
	}
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); isSecretName(name) {
			secrets = append(secrets, value)
		}
	}
	r.hide(secrets)
	for _, dir := range []string{d.Console.Getenv("HOME"), d.Console.Getenv("USERPROFILE")} {
		if len(dir) > 1 {
			r.rename(dir, "~")
		}
	}
	if dir, err := os.Getwd(); err == nil && len(dir) > 1 {
		r.rename(dir, "<directory>")
	}
	if name, err := os.Hostname(); err == nil && name != "localhost" {
		r.rename(name, "<machine>")
	}
	if u, err := user.Current(); err == nil && u.Username != "root" {
		r.rename(u.Username, "<user>")
	}
}

// learnProfile tells the redactor the names of a profile's connections, and returns their
// secrets. What cannot be read is not in the report either.
func (d *Doctor) learnProfile(ctx context.Context, r *redactor, name string) (secrets []string) {
	p, err := d.Opener.Named(name)
	if err != nil {
		return nil
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	connections, err := p.Connections(ctx)
	if err != nil {
		return nil
	}
	for _, c := range connections {
		if c.Name != auth.DefaultName {
			r.renameAs("connection", c.Name)
		}
		for _, text := range []string{c.Account.Label, c.Account.ID} {
			r.renameAs("account", text)
		}
		for _, value := range c.Params {
			r.renameAs("value", value)
		}
		secrets = append(secrets, c.APIKey.Reveal(), c.AccessToken.Reveal(), c.RefreshToken.Reveal())
		for _, field := range c.Fields {
			secrets = append(secrets, field.Reveal())
		}
	}
	return secrets
}

// isSecretName reports whether a variable of that name usually has a secret.
func isSecretName(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc([]string{"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"}, func(part string) bool { return strings.Contains(name, part) })
}
