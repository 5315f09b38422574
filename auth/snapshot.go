package auth

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// snapshot is what one reading found in a profile, or of one of its providers.
type snapshot struct {
	connections []Connection        // sorted by provider and name, with their stored status
	unreadable  []unreadable        // connections whose records cannot be read
	defaults    map[string]string   // the name of the default connection, by provider
	clients     map[string][]record // the client records, by provider
}

type record struct {
	key   string
	value []byte
}

type unreadable struct {
	provider, name string
	err            error
}

// read reads the records whose keys begin with prefix, which is profilePrefix or a
// providerPrefix.
func (a *Auth) read(tx *vault.Tx, prefix string) (*snapshot, error) {
	records, err := tx.List(prefix)
	if err != nil {
		return nil, err
	}
	s := &snapshot{defaults: make(map[string]string), clients: make(map[string][]record)}
	for _, r := range records {
		provider, kind, _ := strings.Cut(strings.TrimPrefix(r.Key, a.profilePrefix()), ":")
		name, isConnection := strings.CutPrefix(kind, "connection:")
		switch {
		case isConnection:
			c, err := parseConnection(r.Key, provider, name, r.Value)
			if err != nil {
				s.unreadable = append(s.unreadable, unreadable{provider, name, err})
				continue
			}
			s.connections = append(s.connections, c)
		case kind == "metadata":
			var m metadataRecord
			if err := decode(r.Key, r.Value, &m); err != nil {
				return nil, err
			}
			s.defaults[provider] = m.DefaultConnection
		case isClientKey(kind):
			s.clients[provider] = append(s.clients[provider], record{r.Key, r.Value})
		}
	}
	// The order of the keys is another one: git-pat:… comes before git:….
	slices.SortStableFunc(s.connections, func(one, other Connection) int { return strings.Compare(one.Provider, other.Provider) })
	for i, c := range s.connections {
		if clients, err := s.clientsOf(c.Provider); err == nil { // otherwise the error is returned when the clients are used
			c = c.withImportedClient(clients)
		}
		c.Default = s.defaults[c.Provider] == c.Name
		s.connections[i] = c
	}
	return s, nil
}

// view reads records in a transaction that changes nothing.
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

// clientsOf returns a provider's clients, the first one first.
func (s *snapshot) clientsOf(provider string) ([]flows.Client, error) {
	return parseClients(s.clients[provider])
}

// clientsFor returns a provider's clients in the order in which a login prefers them:
// clients of connections to the same address, and among them the client of the connection
// with the same name, and then the default connection's.
func (s *snapshot) clientsFor(d *providers.Definition, wanted Connection) ([]flows.Client, error) {
	clients, err := s.clientsOf(wanted.Provider)
	if err != nil {
		return nil, err
	}
	address := func(c Connection) string { return cmp.Or(c.BaseURL, d.BaseURL) }
	rank := func(c Connection) int {
		switch {
		case !SameAddress(address(c), address(wanted)):
			return 3
		case c.Name == wanted.Name:
			return 0
		case c.Default:
			return 1
		}
		return 2
	}
	connections := slices.Clone(s.connections)
	slices.SortStableFunc(connections, func(one, other Connection) int { return rank(one) - rank(other) })
	var preferred []flows.Client
	for _, c := range connections {
		if client, ok := c.storedClient(clients); ok && c.Provider == wanted.Provider {
			preferred = append(preferred, client)
		}
	}
	return append(preferred, clients...), nil
}

// names returns the sorted names of a provider's connections, including the unreadable
// ones.
func (s *snapshot) names(provider string) []string {
	var names []string
	for _, c := range s.connections {
		if c.Provider == provider {
			names = append(names, c.Name)
		}
	}
	for _, u := range s.unreadable {
		if u.provider == provider {
			names = append(names, u.name)
		}
	}
	slices.Sort(names)
	return names
}

func (s *snapshot) has(provider, name string) bool {
	return slices.Contains(s.names(provider), name)
}

// missing is the error for a connection that does not exist.
func (s *snapshot) missing(provider, name string) *LoginRequiredError {
	return &LoginRequiredError{Provider: provider, Connection: name, Reason: ReasonMissing, Others: s.names(provider)}
}

// choose returns the name of the default connection: the one set as default, or else
// the only one.
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

// Names returns the names of the profile's connections, sorted, by provider. It changes
// nothing in the vault.
func (a *Auth) Names(ctx context.Context) (map[string][]string, error) {
	s, err := a.view(ctx, a.profilePrefix())
	if err != nil {
		return nil, err
	}
	all := make(map[string][]string)
	for _, c := range s.connections {
		all[c.Provider] = s.names(c.Provider)
	}
	for _, u := range s.unreadable {
		all[u.provider] = s.names(u.provider)
	}
	return all, nil
}

// Connections returns the profile's connections, sorted by provider and name. Their
// status is the one at the time of the call.
func (a *Auth) Connections(ctx context.Context) ([]Connection, error) {
	s, err := a.view(ctx, a.profilePrefix())
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, u := range s.unreadable {
		errs = append(errs, u.err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	a.storePins(ctx, s)
	for i, c := range s.connections {
		s.connections[i] = a.asOfNow(s, c)
	}
	return s.connections, nil
}

// Connection returns the connection with the given name, or the default one if name is
// empty. Its status is the one at the time of the call. If there is no such connection,
// the error is a [*LoginRequiredError].
func (a *Auth) Connection(ctx context.Context, provider, name string) (Connection, error) {
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return Connection{}, err
	}
	c, err := s.find(provider, name)
	if err != nil {
		return Connection{}, err
	}
	return a.asOfNow(s, c), nil
}

// asOfNow returns a stored connection with its present status. It ignores clients that
// cannot be read; the error is returned when they are used.
func (a *Auth) asOfNow(s *snapshot, c Connection) Connection {
	if clients, err := s.clientsOf(c.Provider); err == nil {
		c = a.checkRenewal(c, clients)
	}
	return c.withStatusAt(a.now())
}

// find returns the stored connection with the given name, or the default one if name is
// empty.
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
	for _, u := range s.unreadable {
		if u.provider == provider && u.name == name {
			return Connection{}, u.err
		}
	}
	return Connection{}, s.missing(provider, name)
}

// Default returns the name of the connection that is used if none is named: the one set
// as default, or else the only one. The error is a [*LoginRequiredError] if the provider
// has no connection, and a [*NoDefaultError] if it has several and no default.
func (a *Auth) Default(ctx context.Context, provider string) (string, error) {
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return "", err
	}
	return s.choose(provider)
}

// States returns the states of the providers that have records. All other providers are
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
		if a.asOfNow(s, c).Err(now) == nil {
			states[c.Provider] = StateConnected
		}
	}
	return states, nil
}
