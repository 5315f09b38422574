package takeover

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/secret"
)

// offerPlaceholders replaces the keys in the file by placeholders, if the options say so
// or the user confirms it. The old text goes into the home: next to the file, it would get
// into a repository or an image.
func (m *Importer) offerPlaceholders(ctx context.Context, f *dotenvFile, o Options, items []item) error {
	if err := m.match(ctx, f, items); err != nil {
		return err
	}
	switch {
	case len(f.replacements) == 0:
		if o.Placeholders {
			m.Console.Infof("left %s unchanged: none of its keys is in the vault", f.path)
		}
		return nil
	case o.DryRun, !o.Placeholders && (o.Yes || m.Console.Terminal() == nil):
		return nil
	case !o.Placeholders:
		err := m.Console.Confirm(ctx, fmt.Sprintf("Replace %s in %s by placeholders?", f.names(), f.path), "--placeholders")
		switch {
		case errors.Is(err, terminal.ErrDeclined):
			return nil
		case errors.Is(err, terminal.ErrInterrupted): // keys may have been stored before
			return fmt.Errorf("%w; %s was not changed", terminal.ErrInterrupted, f.path)
		case err != nil:
			return err
		}
	}
	secrets, err := m.secretVariables()
	if err != nil {
		return err
	}
	text := f.replaced()
	f.linesLeft = f.keysLeft(text, secrets)
	h, err := m.Opener.Home()
	if err != nil {
		return err
	}
	if err := f.write(text, h.SaveBackup); err != nil {
		// Not %w: an error about the user's file is not one about the vault.
		return exit.WithCommand(fmt.Errorf("the keys are in the vault, but %s could not be changed: %v", f.path, err), "import --dotenv %s --placeholders", suggest.Words(f.path))
	}
	return nil
}

// match sets the replacements: for values that the vault has, or would have without
// --dry-run. Any other value must stay in the file, because it may be nowhere else.
func (m *Importer) match(ctx context.Context, f *dotenvFile, items []item) error {
	set, err := m.Opener.Providers()
	if err != nil {
		return err
	}
	p, err := m.Opener.Profile()
	if err != nil {
		return err
	}
	credentials, err := p.Auth()
	if err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	done := make(map[int]bool) // by position in the file
	for _, i := range items {
		if i.kind != "connection" || i.profile != credentials.Profile || i.result == resultRefused {
			continue
		}
		c := i.found
		if i.result != resultNew {
			if c, err = credentials.Connection(ctx, i.provider, i.connection); err != nil {
				return err
			}
		}
		d, err := set.Lookup(i.provider)
		if err != nil {
			continue // another source registers this provider
		}
		values := c.Values()
		for _, v := range d.Variables() {
			text, err := d.Expand("env", v.Value, values)
			placeholder, ok := d.Public(v, values)
			// A placeholder must be read as it is written, in any quotes or without them.
			if err != nil || !ok || !v.Secret || !IsPlainValue(placeholder) {
				continue
			}
			for _, a := range f.assignments {
				if a.name == v.Name && a.doubt == nil && a.value.Equal(secret.New(text)) && !done[a.start] {
					done[a.start] = true
					f.replacements = append(f.replacements, replacement{a, placeholder})
				}
			}
		}
	}
	slices.SortFunc(f.replacements, func(x, y replacement) int { return x.start - y.start })
	return nil
}

// secretVariables returns the variables from which the clients of any provider read a
// secret.
func (m *Importer) secretVariables() (map[string]bool, error) {
	set, err := m.Opener.Providers()
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, d := range set.All() {
		for _, v := range d.Variables() {
			names[v.Name] = names[v.Name] || v.Secret
		}
	}
	return names, nil
}
