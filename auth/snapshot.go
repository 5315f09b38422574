package auth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/vault"
)

// snapshot is everything that a profile holds, as of one reading.
type snapshot struct {
	connections []Connection      // sorted by provider and name, with the status stored
	broken      []broken          // connections that cannot be read
	defaults    map[string]string // the default's name, by provider
	clients     map[string]record // of the providers that have client credentials
}

type record struct {
	key   string
	value []byte
}

type broken struct {
	provider, name string
	err            error
}

// read reads the records whose keys begin with prefix, which is the profile's or
// one provider's.
func (a *Auth) read(tx *vault.Tx, prefix string) (*snapshot, error) {
	records, err := tx.List(prefix)
	if err != nil {
		return nil, err
	}
	s := &snapshot{defaults: make(map[string]string), clients: make(map[string]record)}
	for _, r := range records {
		provider, kind, _ := strings.Cut(strings.TrimPrefix(r.Key, a.profilePrefix()), ":")
		name, isConnection := strings.CutPrefix(kind, "connection:")
		switch {
		case isConnection:
			c, err := parseConnection(r.Key, provider, name, r.Value)
			if err != nil {
				s.broken = append(s.broken, broken{provider, name, err})
				continue
			}
			s.connections = append(s.connections, c)
		case kind == "metadata":
			var m metadataRecord
			if err := decode(r.Key, r.Value, &m); err != nil {
				return nil, err
			}
			s.defaults[provider] = m.DefaultConnection
		case kind == "client":
			s.clients[provider] = record{r.Key, r.Value}
		}
	}
	for i, c := range s.connections {
		s.connections[i].Default = s.defaults[c.Provider] == c.Name
	}
	return s, nil
}

// view reads records outside of a transaction that changes any.
func (a *Auth) view(ctx context.Context, prefix string) (s *snapshot, err error) {
	if err := a.checkNames(); err != nil {
		return nil, err
	}
	err = a.Vault.View(ctx, func(tx *vault.Tx) error {
		s, err = a.read(tx, prefix)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// client is the client stored for a provider; without one it is zero.
func (s *snapshot) client(provider string) (flows.Client, error) {
	r, ok := s.clients[provider]
	if !ok {
		return flows.Client{}, nil
	}
	return parseClient(r.key, r.value)
}

// names are a provider's connections, sorted, with those that cannot be read.
func (s *snapshot) names(provider string) []string {
	var names []string
	for _, c := range s.connections {
		if c.Provider == provider {
			names = append(names, c.Name)
		}
	}
	for _, b := range s.broken {
		if b.provider == provider {
			names = append(names, b.name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *snapshot) has(provider, name string) bool {
	return slices.Contains(s.names(provider), name)
}

// choose is the connection used where none is named: the default, else the only
// one.
func (s *snapshot) choose(provider string) (string, error) {
	names := s.names(provider)
	switch name := s.defaults[provider]; {
	case slices.Contains(names, name):
		return name, nil
	case len(names) == 0:
		return "", &LoginRequiredError{Provider: provider, Reason: ReasonMissing}
	case len(names) == 1:
		return names[0], nil
	}
	return "", &NoDefaultError{Provider: provider, Connections: names}
}

// Connections lists the profile's connections, sorted by provider and name. The
// status is the one at the time of the call.
func (a *Auth) Connections(ctx context.Context) ([]Connection, error) {
	s, err := a.view(ctx, a.profilePrefix())
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, b := range s.broken {
		errs = append(errs, b.err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for i, c := range s.connections {
		s.connections[i] = a.present(s, c)
	}
	return s.connections, nil
}

// Connection is the connection of that name, or the one used where none is named
// if name is empty. Without one the error is a [*LoginRequiredError].
func (a *Auth) Connection(ctx context.Context, provider, name string) (Connection, error) {
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return Connection{}, err
	}
	c, err := s.find(provider, name)
	if err != nil {
		return Connection{}, err
	}
	return a.present(s, c), nil
}

// present is a connection with the status that it has now. A client that cannot
// be read fails where it is used.
func (a *Auth) present(s *snapshot, c Connection) Connection {
	if client, err := s.client(c.Provider); err == nil {
		c = a.judged(c, client)
	}
	return c.at(a.now())
}

// find is the connection of that name, or the one used where none is named.
func (s *snapshot) find(provider, name string) (Connection, error) {
	if name == "" {
		var err error
		if name, err = s.choose(provider); err != nil {
			return Connection{}, err
		}
	}
	for _, c := range s.connections {
		if c.Provider == provider && c.Name == name {
			return c, nil
		}
	}
	for _, b := range s.broken {
		if b.provider == provider && b.name == name {
			return Connection{}, b.err
		}
	}
	return Connection{}, &LoginRequiredError{Provider: provider, Connection: name, Reason: ReasonMissing}
}

// Default is the name of the connection that is used where none is named: the
// default, or else the only one. Errors are a [*LoginRequiredError] if there is
// no connection and a [*NoDefaultError] if there are several.
func (a *Auth) Default(ctx context.Context, provider string) (string, error) {
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return "", err
	}
	return s.choose(provider)
}

// States are the states of the providers that have records. All others are
// [StateAvailable].
func (a *Auth) States(ctx context.Context) (map[string]State, error) {
	s, err := a.view(ctx, a.profilePrefix())
	if err != nil {
		return nil, err
	}
	states := make(map[string]State)
	for provider := range s.defaults {
		states[provider] = StateAvailable
	}
	for provider := range s.clients {
		states[provider] = StateConfigured
	}
	now := a.now()
	for _, c := range s.connections {
		if a.present(s, c).Err(now) == nil {
			states[c.Provider] = StateConnected
		}
	}
	return states, nil
}
