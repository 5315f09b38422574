package auth

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// preferencesRecord stores which connection serves the hosts that several match equally
// well. It is sealed like every record, so that no file in the home can move a credential.
type preferencesRecord struct {
	SchemaVersion int                         `json:"schema_version"`
	Profile       string                      `json:"profile"`
	Hosts         map[string]preferenceRecord `json:"hosts"` // by routing.Shared.Host
	Unknown       jsontext.Value              `json:",embed"`
}

type preferenceRecord struct {
	Provider   string         `json:"provider"`
	Connection string         `json:"connection_name,omitzero"` // if empty, any of the provider
	Unknown    jsontext.Value `json:",embed"`
}

func (p preferenceRecord) choice() routing.Choice {
	return routing.Choice{Provider: p.Provider, Connection: p.Connection}
}

// preferencesKey has no name after the profile's prefix that a provider's records have.
func (a *Auth) preferencesKey() string { return a.profilePrefix() + "preferences" }

func (a *Auth) getPreferences(tx *vault.Tx) (preferencesRecord, error) {
	r := preferencesRecord{SchemaVersion: schemaVersion, Profile: a.Profile}
	data, err := tx.Get(a.preferencesKey())
	switch {
	case errors.Is(err, vault.ErrNotFound):
	case err != nil:
		return r, err
	default:
		if err := decode(a.preferencesKey(), data, &r); err != nil {
			return r, err
		}
	}
	if r.Hosts == nil {
		r.Hosts = make(map[string]preferenceRecord)
	}
	return r, nil
}

// updatePreferences writes what fn makes of the preferences, if it changes them.
func (a *Auth) updatePreferences(tx *vault.Tx, fn func(hosts map[string]preferenceRecord)) error {
	r, err := a.getPreferences(tx)
	if err != nil {
		return err
	}
	before, err := json.Marshal(r, json.Deterministic(true))
	if err != nil {
		return err
	}
	fn(r.Hosts)
	after, err := json.Marshal(r, json.Deterministic(true))
	if err != nil || string(before) == string(after) {
		return err
	}
	return tx.Put(a.preferencesKey(), after)
}

func (r preferencesRecord) choices() map[string]routing.Choice {
	all := make(map[string]routing.Choice, len(r.Hosts))
	for host, p := range r.Hosts {
		all[host] = p.choice()
	}
	return all
}

// Preferences returns which connection serves the hosts that several match equally well,
// for [routing.Options]. A preference whose connection does not cover its host any more
// has no effect.
func (a *Auth) Preferences(ctx context.Context) (map[string]routing.Choice, error) {
	if err := a.checkNames(); err != nil {
		return nil, err
	}
	var r preferencesRecord
	err := a.Vault.View(ctx, func(tx *vault.Tx) (err error) {
		r, err = a.getPreferences(tx)
		return err
	})
	return r.choices(), err
}

// Prefer makes a provider, or one of its connections, serve the requests to hosts that
// others match equally well. The hosts are in the form of [routing.Shared.Host]. The
// preference ends when the connection is deleted, or the provider's last one.
func (a *Auth) Prefer(ctx context.Context, c routing.Choice, hosts ...string) error {
	if err := a.checkNames(c.Provider); err != nil {
		return err
	}
	return a.Vault.Update(ctx, func(tx *vault.Tx) error {
		s, err := a.read(tx, a.providerPrefix(c.Provider))
		if err != nil {
			return err
		}
		if names := s.names(c.Provider); len(names) == 0 || c.Connection != "" && !slices.Contains(names, c.Connection) {
			return &LoginRequiredError{Provider: c.Provider, Connection: c.Connection, Reason: ReasonMissing}
		}
		return a.updatePreferences(tx, func(all map[string]preferenceRecord) {
			for _, host := range hosts {
				all[host] = preferenceRecord{Provider: c.Provider, Connection: c.Connection}
			}
		})
	})
}

// forgetPreferences removes the preferences for connections of a provider that are not
// among names. A connection that is deleted and made again is a new one: what has served
// its hosts in the meantime goes on serving them.
func (a *Auth) forgetPreferences(tx *vault.Tx, provider string, names []string) error {
	return a.updatePreferences(tx, func(all map[string]preferenceRecord) {
		maps.DeleteFunc(all, func(_ string, p preferenceRecord) bool {
			return p.Provider == provider && (len(names) == 0 || p.Connection != "" && !slices.Contains(names, p.Connection))
		})
	})
}

// renamePreferences makes the preferences for a connection follow its new name.
func (a *Auth) renamePreferences(tx *vault.Tx, provider, from, to string) error {
	return a.updatePreferences(tx, func(all map[string]preferenceRecord) {
		for host, p := range all {
			if p.Provider == provider && p.Connection == from {
				p.Connection = to
				all[host] = p
			}
		}
	})
}

// table returns the routing table of the profile's connections as they are in tx, or nil
// if it cannot be made, because a record cannot be read.
func (a *Auth) table(tx *vault.Tx) *routing.Table {
	s, err := a.read(tx, a.profilePrefix())
	if err != nil {
		return nil
	}
	r, err := a.getPreferences(tx)
	if err != nil {
		return nil
	}
	var bindings []routing.Binding
	for _, c := range s.connections {
		if b, err := a.Binding(c); err == nil {
			bindings = append(bindings, b)
		}
	}
	table, err := routing.New(bindings, routing.Options{Prefer: r.choices()})
	if err != nil {
		return nil
	}
	return table
}

// Routes returns the routing table of the profile's connections, or nil if it cannot be
// made. Unlike [Auth.Connections] it changes nothing.
func (a *Auth) Routes(ctx context.Context) *routing.Table {
	if a.checkNames() != nil {
		return nil
	}
	var t *routing.Table
	err := a.Vault.View(ctx, func(tx *vault.Tx) error {
		t = a.table(tx)
		return nil
	})
	if err != nil {
		return nil
	}
	return t
}

// keepServing compares the routes with those before a change of connections. Where a
// connection shares requests with one that the change brought, the one that served them
// before is preferred from now on: a login must not move the requests of a running agent
// to another account, or make them ambiguous.
func (a *Auth) keepServing(tx *vault.Tx, before *routing.Table) error {
	after := a.table(tx)
	if before == nil || after == nil {
		return nil // requests that are ambiguous now are refused
	}
	return a.updatePreferences(tx, func(all map[string]preferenceRecord) {
		for _, s := range after.Shared() {
			served := before.Server(s)
			if served == s.Server || !s.Has(served) {
				continue
			}
			if s.Default && s.Server.Provider == served.Provider {
				continue // a default connection serves what it covers
			}
			p := preferenceRecord{Provider: served.Provider}
			sibling := func(c routing.Choice) bool { return c.Provider == served.Provider && c != served }
			if slices.ContainsFunc(s.Among, sibling) {
				p.Connection = served.Connection
			}
			all[s.Host] = p
		}
	})
}
